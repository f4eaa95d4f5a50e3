#!/usr/bin/env bash
# What can be tested of NVIDIA's software on a machine without a GPU: its real packages, imported, asked, and made to
# fail. tests/nvidia/requirements holds a file an environment, which is made below .cache/nvidia and kept; those that
# the package index has no packages for are skipped, and that is said. Nothing here shows that anything runs on a GPU.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/nvidia
python=.venv/bin/python

for requirements in tests/nvidia/requirements/*.txt; do
    tools/fill_venv.sh "$cache/$(basename "$requirements" .txt)" "$requirements" && code=0 || code=$?
    [[ $code == 0 || $code == 3 ]] || exit 1
done

# those of BERT-base too, which make test-slow comes too early for
$python -m pytest tests/nvidia -m "slow or not slow" "$@"
