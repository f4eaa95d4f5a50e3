#!/usr/bin/env bash
# The examples for clusters on Ray and Dask, two workers each on this machine, in an environment below .cache/cluster
# that has no torch. Skipped, which is said, where the package index has no such packages for this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/cluster
requirements=tests/cluster/requirements.txt
wanted=$(sha256sum "$requirements" | cut -d' ' -f1)

if [[ $(cat "$cache/ready" 2>/dev/null) != "$wanted" ]]; then
    mkdir -p "$cache"
    # the pip of .venv installs into it; the environment needs none of its own
    .venv/bin/python -m venv --clear --without-pip "$cache/venv"
    if ! .venv/bin/python -m pip --python "$cache/venv/bin/python" install --quiet --disable-pip-version-check \
        --requirement "$requirements" 2>"$cache/pip.log"; then
        if grep -q "No matching distribution\|Could not find a version" "$cache/pip.log"; then
            echo "SKIPPED Ray and Dask: the package index has no $(grep -v '^#' "$requirements" | paste -sd' ') for this machine"
            exit 0
        fi
        cat "$cache/pip.log" >&2
        exit 1
    fi
    echo "$wanted" >"$cache/ready"
fi

export RAY_USAGE_STATS_ENABLED=0
PYTHONPATH=$PWD:$PWD/runtime "$cache/venv/bin/python" -m pytest -c /dev/null --rootdir . --confcutdir tests/cluster \
    -p no:cacheprovider --import-mode=importlib --timeout 300 -q -ra tests/cluster "$@"
