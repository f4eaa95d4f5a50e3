#!/usr/bin/env bash
# fill_venv.sh FOLDER REQUIREMENTS: an environment that holds those packages and nothing else, made anew when the file
# changes. Ends with 3, and says so, where the package index has no such packages for this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 requirements=$2 python=.venv/bin/python
wanted=$(sha256sum "$requirements" | cut -d' ' -f1)
[[ $(cat "$folder/ready" 2>/dev/null) == "$wanted" ]] && exit 0

mkdir -p "$folder"
# the pip of .venv installs into it; the environment needs none of its own
$python -m venv --clear --without-pip "$folder"
if ! $python -m pip --python "$folder/bin/python" install --quiet --disable-pip-version-check \
    --requirement "$requirements" 2>"$folder/pip.log"; then
    if grep -q "No matching distribution\|Could not find a version" "$folder/pip.log"; then
        echo "SKIPPED $(basename "$folder"): the package index has no $(grep -v '^#' "$requirements" | paste -sd' ') for this machine"
        exit 3
    fi
    cat "$folder/pip.log" >&2
    exit 1
fi
echo "$wanted" >"$folder/ready"
