#!/usr/bin/env bash
# What of the runtime's suite depends on Python or onnxruntime (its tests marked compat), as its source distribution
# holds it, without the repository around, in environments that hold the wheel built from that, an onnxruntime and the
# test tools, and nothing else of ours: every Python it supports that is found here, the oldest onnxruntime it promises
# and the newest, the extras of the services, and the lean install. The environments stand below .cache/runtime, and
# only what changed is installed the second time.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/runtime
tools="pytest pytest-timeout hypothesis"
services="httpx schemathesis tritonclient[http] amqtt"
# Python, onnxruntime, kind. The last onnxruntime for Python 3.10 is 1.23. The lean install runs all that a plain one does.
matrix="3.10 1.23 plain
        3.11 newest services
        3.13 1.23 plain
        3.13 newest lean"

interpreter() { # prints the path of Python $1, if this machine has it
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
        "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null && echo "$candidate" && return
    done
    return 1
}

build() {
    rm -rf "$cache/dist" "$cache/source" && mkdir -p "$cache/source"
    .venv/bin/python -m build --no-isolation --outdir "$cache/dist" runtime >"$cache/build.log" 2>&1 || { cat "$cache/build.log"; exit 1; }
    tar -xzf "$cache"/dist/*.tar.gz -C "$cache/source" --strip-components 1
    wheel=$(echo "$cache"/dist/*.whl)
}

fill() { # VENV ONNXRUNTIME KIND
    # the pip of .venv installs into it; the environment needs none of its own
    local pip=(.venv/bin/python -m pip --python "$1/bin/python" install --quiet --disable-pip-version-check --upgrade)
    local onnxruntime=onnxruntime
    [[ $2 == newest ]] || onnxruntime="onnxruntime==$2.*"
    case $3 in
        plain) "${pip[@]}" "$wheel" "$onnxruntime" $tools ;;
        services) "${pip[@]}" "${wheel}[serve,mqtt,bench]" "$onnxruntime" $tools $services ;;
        lean) "${pip[@]}" numpy click $tools && "${pip[@]}" --no-deps "$wheel" tokenizers "$onnxruntime" ;;
    esac
    "${pip[@]}" --no-deps --force-reinstall "$wheel" # the same version may hold other code
}

build
while read -r version onnxruntime kind; do
    name=$version-$onnxruntime-$kind
    if ! python=$(interpreter "$version"); then
        echo "SKIPPED runtime on Python $version ($name): no such interpreter on this machine"
        continue
    fi
    venv=$cache/venv-$name
    [[ -x $venv/bin/python ]] || "$python" -m venv --without-pip "$venv"
    fill "$venv" "$onnxruntime" "$kind"
    echo "runtime on Python $version, $kind: $(.venv/bin/python -m pip --python "$venv/bin/python" list 2>/dev/null | grep -E '^(onnxruntime|numpy|tokenizers|edgener|huggingface)' | tr -s ' \n' ' ,')"
    (cd "$cache/source" && "$venv/bin/python" -m pytest -c /dev/null --rootdir . -p no:cacheprovider --import-mode=importlib --timeout 3600 -q -ra -m "compat and not slow" tests)
done <<<"$matrix"
