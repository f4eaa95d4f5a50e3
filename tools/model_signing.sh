#!/usr/bin/env bash
# Prints the folder of OpenSSF's command model_signing; at the first call it makes an environment for it, as its libraries
# are not ours. model-signing 1.1.1 imports pyOpenSSL without declaring it.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=.cache/model-signing
if [ ! -x "$environment/bin/model_signing" ]; then
    .venv/bin/python -m venv "$environment" >&2
    "$environment/bin/python" -m pip install -q model-signing==1.1.1 pyopenssl==26.4.0 >&2
fi
echo "$PWD/$environment/bin"
