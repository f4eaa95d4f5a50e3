#!/usr/bin/env bash
# wheel.sh MACHINE FOLDER: the wheel of edgener-ops for x86_64 or aarch64 Linux with glibc 2.28 or later, compiled by zig
# on any machine, and checked by auditwheel: its symbols are those of manylinux_2_28, and it has less than 2 MB.
set -euo pipefail
machine=$1 folder=$(realpath -m "$2") platform=manylinux_2_28_$1
cd "$(dirname "$0")/../.."
tools=$PWD/.cache/ops/tools work=$PWD/.cache/ops/wheel-$machine
tools/fill_venv.sh "$tools" tools/ops/requirements.txt
rm -rf "$work" && mkdir -p "$work" "$folder"

# -O3 also for what CMake compiles to know the compiler: without, zig would build all of the C++ library once more for that
printf '#!/bin/sh\nexec "%s" -m ziglang c++ -O3 -target %s-linux-gnu.2.28 "$@"\n' "$tools/bin/python" "$machine" >"$work/c++"
chmod +x "$work/c++"
export PATH=$tools/bin:$PATH CXX=$work/c++ ZIG_GLOBAL_CACHE_DIR=$PWD/.cache/ops/zig
export CMAKE_ARGS="-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=$machine -DEDGENER_ARM=-mcpu=generic+v8_2a"
"$tools/bin/python" -m build --wheel --no-isolation --config-setting "build-dir=$work/build" --outdir "$work" runtime/ops >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
"$tools/bin/python" -m wheel tags --remove --platform-tag "$platform" "$work"/*.whl >/dev/null

wheel=$(echo "$work"/*.whl)
"$tools/bin/python" -m auditwheel show "$wheel" | tee "$work/audit"
grep -q "$platform" "$work/audit" || { echo "$wheel does not keep to $platform" >&2; exit 1; }
(($(stat -c %s "$wheel") < 2000000)) || { echo "$wheel has 2 MB or more" >&2; exit 1; }
mv "$wheel" "$folder"
