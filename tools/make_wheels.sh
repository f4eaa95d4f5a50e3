#!/usr/bin/env bash
# make_wheels.sh PYTHON FOLDER: build the wheel and the source distribution of each distribution into FOLDER. Each wheel
# is built from its source distribution, so a file that is missing there is missing in both. PYTHON has build and hatchling.
set -euo pipefail
python=$1 folder=$2
root=$(cd "$(dirname "$0")/.." && pwd)

for project in "$root/runtime" "$root"; do
    "$python" -m build --no-isolation --outdir "$folder" "$project"
done
