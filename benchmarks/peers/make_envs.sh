#!/usr/bin/env bash
# make_envs.sh FOLDER PYTHON TORCH [NAME...]: an environment a peer below FOLDER, each with only what that peer needs.
# An environment that is ready is kept; remove its folder to make it again.
set -euo pipefail
folder=$1 python=$2 torch=$3
here=$(cd "$(dirname "$0")" && pwd)
names=("${@:4}")

make_env() { # NAME: the packages of requirements/NAME.txt, or for node of requirements/NAME.json
    local env=$folder/$1 wanted=$here/requirements/$1.txt
    if [ ! -f "$wanted" ]; then wanted=$here/requirements/$1.json; fi
    if cmp --silent "$wanted" "$env/.ready"; then return; fi
    echo "making $env" >&2
    case $wanted in
    *.json) install_node_packages "$env" "$wanted" ;;
    *) install_python_packages "$env" "$wanted" ;;
    esac
    cp "$wanted" "$env/.ready"
}

install_python_packages() { # ENV FILE
    "$python" -m venv "$1"
    local pip=("$1/bin/python" -m pip install --quiet)
    if grep --quiet '^torch==' "$2"; then
        "${pip[@]}" "$torch" # first and by itself: a CPU build, where the index has one with gigabytes of CUDA too
    fi
    (cd "$here/../.." && "${pip[@]}" --requirement "$2")
}

install_node_packages() { # ENV FILE
    mkdir -p "$1"
    cp "$2" "$1/package.json"
    # the package has its CPU library; the script that this skips fetches one for CUDA
    ONNXRUNTIME_NODE_INSTALL=skip npm install --prefix "$1" --no-audit --no-fund --no-package-lock --loglevel error
}

if [ ${#names[@]} -eq 0 ]; then
    names=(transformers optimum openvino ctranslate2 onnxruntime litert executorch torchao transformersjs edgener)
fi
for name in "${names[@]}"; do
    make_env "$name"
    if [ "$name" = edgener ]; then
        # as they stand now: the same version may hold other code; the operators of int8-native need a C++ compiler
        "$folder/edgener/bin/python" -m pip install --quiet --no-deps --force-reinstall \
            "$here/../../runtime" "$here/../../runtime/ops"
    fi
done
