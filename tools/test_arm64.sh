#!/usr/bin/env bash
# The runtime on arm64 without such a machine: the tests of its suite that depend on the processor (marked compat), and
# its answers beside those of this machine, under qemu's user emulation. This shows that it is right there, never how fast.
#
# A root folder is laid out from Debian's and the package index's arm64 files below .cache/arm64, and kept. Nothing is
# installed on this system but qemu itself, and what runs in the root runs as nobody. It has no /proc and no /sys on purpose:
# onnxruntime dies of the host's under emulation, and the runtime has to do without. Its packages are compiled to byte code
# here: nobody may not write it there, and would compile them under emulation each time that Python starts.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/arm64
root=$cache/root
wheels="onnxruntime numpy tokenizers click pytest pytest-timeout hypothesis"

skip() {
    echo "SKIPPED the runtime on arm64: $1"
    exit 0
}

find_qemu() { # prints where the static emulator is, installed if need be
    command -v qemu-aarch64-static && return
    { apt-get install -y -qq qemu-user-static || { apt-get update -qq && apt-get install -y -qq qemu-user-static; }; } \
        >/dev/null 2>&1 || return 1
    command -v qemu-aarch64-static
}

lay_out_root() {
    rm -f "$root.ready"
    tools/debian_python.sh arm64 "$root"
    .venv/bin/python -m pip install --quiet --compile --target "$root/work/site" --only-binary=:all: --implementation cp \
        --python-version 3.11 --platform manylinux_2_28_aarch64 --platform manylinux2014_aarch64 $wheels
}

on_arm64() { # a Python program's arguments, run in the root
    local become=()
    ((EUID == 0)) && become=(--userspec=65534:65534)
    # one core: threads that spin while they wait for each other take longest of all under emulation
    enter taskset --cpu-list "$(taskset -cp $$ | grep -oE '[0-9]+' | tail -1)" chroot "${become[@]}" "$root" \
        /qemu-aarch64-static -E PYTHONPATH=/work/site:/work/tools -E PYTHONDONTWRITEBYTECODE=1 -E HOME=/tmp \
        -E HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis /usr/bin/python3.11 "$@"
}

enter() { # who is not root becomes it in a namespace of their own, where changing the root is allowed
    if ((EUID == 0)); then "$@"; else unshare --map-root-user "$@"; fi
}

[[ $(uname -m) == x86_64 ]] || skip "this machine is $(uname -m), not x86-64: run the suite on it as it is"
qemu=$(find_qemu) || skip "no qemu-aarch64-static, and apt-get cannot install qemu-user-static here"
enter true 2>/dev/null || skip "neither root nor a user namespace is to be had, and one of them has to change the root"

wanted=$(cat tools/debian_python.sh <(echo $wheels) | sha256sum)
if [[ $(cat "$cache/ready" 2>/dev/null) != "$wanted" ]]; then
    rm -f "$cache/ready"
    lay_out_root
    echo "$wanted" >"$cache/ready"
fi

# the runtime as its wheel and source distribution hold it, new at every run
rm -rf "$cache/built" "$root"/work/{runtime,tests,tools} "$root"/work/site/{bin,edgener_runtime*} && mkdir -p "$cache/built"
.venv/bin/python -m build --no-isolation --outdir "$cache/built" runtime >"$cache/build.log" 2>&1 || { cat "$cache/build.log"; exit 1; }
.venv/bin/python -m pip install --quiet --compile --no-deps --target "$root/work/site" "$cache"/built/*.whl
cp -R runtime/tests "$root/work/tests"
cp -R tools/arm64 "$root/work/tools"
cp "$qemu" "$root/qemu-aarch64-static"
: >"$root/work/pytest.ini"
mkdir -p "$root/dev" && install -m 666 /dev/null "$root/dev/null" # an empty file: only root may make the device
chmod -R a+rX "$root/work"

echo "runtime on $(on_arm64 -c "import platform, onnxruntime; print(platform.machine(), 'Python', platform.python_version(), 'onnxruntime', onnxruntime.__version__)")"
on_arm64 /work/tools/entities.py /work/tests >"$cache/arm64.jsonl"
.venv/bin/python tools/arm64/entities.py runtime/tests >"$cache/x86-64.jsonl"
.venv/bin/python tools/arm64/compare.py "$cache/x86-64.jsonl" "$cache/arm64.jsonl"
# the same selftest on both, the second held against the first; benchmarks/devices keeps such a pair
.venv/bin/edgener-runtime selftest runtime/tests/bundle --device cpu --seconds 1 --out "$cache/x86-64.json"
cp "$cache/x86-64.json" "$root/work/x86-64.json"
rm -f "$root"/tmp/selftest.*
on_arm64 -c "from edgener_runtime.cli.main import main; main()" selftest /work/tests/bundle --device cpu --name arm64 \
    --emulated-by qemu --against /work/x86-64.json --out /tmp/selftest.json
mv "$root/tmp/selftest.json" "$cache/arm64.json"
# these tests of very long texts and of many threads take minutes each here; a build beside this one walks the root,
# and cannot walk folders a thousand deep
on_arm64 -m pytest -c /work/pytest.ini --rootdir /work -p no:cacheprovider --import-mode=importlib \
    -p emulated --timeout 3600 -q -ra -m "compat and not slow" \
    -k "not never_cut and not long_texts_are_not and not many_threads and not a_thousand_deep" /work/tests
