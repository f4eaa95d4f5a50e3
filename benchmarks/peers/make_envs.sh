#!/usr/bin/env bash
# make_envs.sh FOLDER PYTHON TORCH: an environment a peer below FOLDER, each with only what that peer needs.
# An environment that is ready is kept; remove its folder to make it again.
set -euo pipefail
folder=$1 python=$2 torch=$3
here=$(cd "$(dirname "$0")" && pwd)

make_env() { # NAME PACKAGES...: the packages of requirements/NAME.txt
    local env=$folder/$1 wanted=$here/requirements/$1.txt
    if cmp --silent "$wanted" "$env/.ready"; then return; fi
    echo "making $env" >&2
    "$python" -m venv "$env"
    local pip=("$env/bin/python" -m pip install --quiet)
    if grep --quiet '^torch==' "$wanted"; then
        "${pip[@]}" "$torch" # first and by itself: a CPU build, where the index has one with gigabytes of CUDA too
    fi
    (cd "$here/../.." && "${pip[@]}" --requirement "$wanted")
    cp "$wanted" "$env/.ready"
}

for name in transformers optimum openvino ctranslate2 onnxruntime edgener; do make_env "$name"; done
# as it stands now: the same version may hold other code
"$folder/edgener/bin/python" -m pip install --quiet --no-deps --force-reinstall "$here/../../runtime"
