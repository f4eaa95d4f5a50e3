#!/usr/bin/env bash
# make.sh UV FOLDER: the lock files, for every platform and every Python that is supported, in FOLDER. What an existing
# file pins stays as it is unless pyproject.toml or constraints.txt ask for another version.
set -euo pipefail
uv=$1 folder=$2
cd "$(dirname "$0")/../.."

lock() { # lock NAME PYTHON WORDS...
    "$uv" pip compile --quiet --no-config --universal --generate-hashes --annotation-style line \
        --custom-compile-command "make locks" --constraint constraints.txt --output-file "$folder/$1.txt" \
        --python-version "$2" "${@:3}"
}

extras=()
for extra in cpu serve mqtt trust update oci; do extras+=(--extra "$extra"); done
lock device 3.10 runtime/pyproject.toml "${extras[@]}"

# the runtime is ours, and torch is not locked: its CPU build comes from another index
ours=$(mktemp)
trap 'rm -f "$ours"' EXIT
echo "edgener-runtime[cpu,trust,update] @ file://$PWD/runtime" >"$ours"
lock release 3.11 pyproject.toml --extra pkcs11 --group release --overrides "$ours" --excludes tools/locks/cuda.txt \
    --no-emit-package edgener-runtime --no-emit-package torch
