#!/usr/bin/env bash
# Bundles under attack and under faults of disk, power and network, in great numbers; the last lines have the counts.
# The folders are in memory where there is such a disk: what outlives a power cut is simulated, and others wait for a disk.
# More with: tools/test_trust.sh --longer
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
# Add a folder or a file here; its tests have the mark trust.
tests=(
    runtime/tests/store
    tests/updates
    tests/benchmarks/test_store_load.py
    runtime/tests/test_signatures.py
    tests/cli/test_sign.py
    tests/e2e/test_secrets.py
)
select="trust and not slow"
[ "${1:-}" = --longer ] && select="trust"

PATH=$PATH:$(tools/model_signing.sh) # OpenSSF's command, which verifies what is signed here
memory=()
if [ -w /dev/shm ]; then
    folder=$(mktemp -d /dev/shm/edgener-trust.XXXXXX)
    trap 'rm -rf "$folder"' EXIT
    memory=(--basetemp "$folder/tests")
fi
OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false "$python" -m pytest -q -m "$select" "${memory[@]}" "${tests[@]}"
