#!/usr/bin/env bash
# edgener-ops, built from source: its kernels on every instruction set that this CPU has, the same under the address and
# undefined-behaviour sanitizers and with random inputs, the arm64 kernels under qemu, and the operators in the newest
# and the oldest onnxruntime. What a machine lacks is skipped, and said so. The builds stand below .cache/ops.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/ops
source=$PWD/runtime/ops
arm64=aarch64-linux-gnu

skip() {
    echo "SKIPPED $1"
}

build() { # FOLDER CMAKE_OPTION...: the kernels' tests, compiled into .cache/ops/FOLDER
    local folder=$cache/$1
    shift
    "$cache/tools/bin/cmake" -S "$source" -B "$folder" -G Ninja -DCMAKE_MAKE_PROGRAM="$cache/tools/bin/ninja" \
        -DEDGENER_TESTS=ON "$@" >"$folder.log"
    "$cache/tools/bin/ninja" -C "$folder" >>"$folder.log" || { cat "$folder.log"; exit 1; }
}

test_kernels() {
    build plain -DEDGENER_EVEX=ON && "$cache/plain/kernels_test"
    build sanitized -DEDGENER_SANITIZE=ON
    "$cache/sanitized/kernels_test" >/dev/null && "$cache/sanitized/fuzz" 300
}

test_arm64() {
    local qemu
    qemu=$(command -v qemu-aarch64-static qemu-aarch64 | head -1) || { skip "the arm64 kernels: no qemu-aarch64"; return; }
    command -v $arm64-g++ >/dev/null || { skip "the arm64 kernels: no $arm64-g++"; return; }
    build arm64 -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=$arm64-g++
    "$qemu" -L /usr/$arm64 "$cache/arm64/kernels_test"
    echo "the arm64 kernels ran under $("$qemu" --version | head -1), never on a device"
}

test_operators() { # PYTHON: the operators in the onnxruntime of that environment
    local pytest=("$1" -m pytest -c /dev/null --rootdir "$source" -p no:cacheprovider --import-mode=importlib -q -ra)
    "$1" -c "import onnxruntime; print('the operators in onnxruntime', onnxruntime.__version__)"
    PYTHONPATH=$cache/package "${pytest[@]}" -W "ignore::pytest.PytestUnknownMarkWarning" "$source/tests"
}

if ! command -v c++ >/dev/null; then
    skip "edgener-ops: no C++ compiler on this machine"
    exit 0
fi
mkdir -p "$cache"
tools/fill_venv.sh "$cache/tools" tools/ops/requirements.txt
test_kernels
test_arm64
.venv/bin/python -m pip --python "$cache/tools/bin/python" install --quiet --no-build-isolation --no-deps --upgrade --target "$cache/package" "$source"
test_operators .venv/bin/python
tools/fill_venv.sh "$cache/oldest" tools/ops/oldest.txt
test_operators "$cache/oldest/bin/python"
