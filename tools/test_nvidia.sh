#!/usr/bin/env bash
# What can be tested of NVIDIA's software on a machine without a GPU: its real packages, imported, asked, and made to
# fail. tests/nvidia/requirements holds a file an environment, which is made below .cache/nvidia and kept; those that
# the package index has no packages for are skipped, and that is said. Nothing here shows that anything runs on a GPU.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/nvidia
python=.venv/bin/python

fill() { # ENVIRONMENT REQUIREMENTS: fails with 3 where the index has no such packages for this machine
    local errors=$1/pip.log
    # the pip of .venv installs into it; the environment needs none of its own
    $python -m venv --clear --without-pip "$1"
    if ! $python -m pip --python "$1/bin/python" install --quiet --disable-pip-version-check \
        --requirement "$2" 2>"$errors"; then
        grep -q "No matching distribution\|Could not find a version" "$errors" && return 3
        cat "$errors" >&2
        return 1
    fi
}

for requirements in tests/nvidia/requirements/*.txt; do
    name=$(basename "$requirements" .txt)
    wanted=$(sha256sum "$requirements" | cut -d' ' -f1)
    [[ $(cat "$cache/$name/ready" 2>/dev/null) == "$wanted" ]] && continue
    mkdir -p "$cache"
    fill "$cache/$name" "$requirements" && code=0 || code=$?
    case $code in
        0) echo "$wanted" >"$cache/$name/ready" ;;
        3) echo "SKIPPED $name: the package index has no $(grep -v '^#' "$requirements" | paste -sd' ') for this machine" ;;
        *) exit 1 ;;
    esac
done

# those of BERT-base too, which make test-slow comes too early for
$python -m pytest tests/nvidia -m "slow or not slow" "$@"
