#!/usr/bin/env bash
# The examples for clusters on Ray, Dask and Spark, two workers each on this machine, in an environment below .cache/cluster
# that has no torch. Skipped, which is said, where the package index has no such packages for this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/cluster
requirements=tests/cluster/requirements.txt
command -v java >/dev/null && requirements=tests/cluster/requirements-spark.txt
tools/fill_venv.sh "$cache" "$requirements" && code=0 || code=$?
case $code in
    0) ;;
    3) exit 0 ;;
    *) exit 1 ;;
esac

export RAY_USAGE_STATS_ENABLED=0
PYTHONPATH=$PWD:$PWD/runtime "$cache/bin/python" -m pytest -c /dev/null --rootdir . --confcutdir tests/cluster \
    -p no:cacheprovider --import-mode=importlib -o "markers=environment: needs what this script installs" \
    --timeout 3600 -q -ra tests/cluster "$@"
