#!/usr/bin/env bash
# The runtime's suite as its source distribution holds it, without the repository around, in environments that hold the
# wheel built from that, onnxruntime and the test tools, and nothing else of ours.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/runtime
rm -rf "$cache" && mkdir -p "$cache/source"
.venv/bin/python -m build --no-isolation --outdir "$cache" runtime >"$cache/build.log" 2>&1 || { cat "$cache/build.log"; exit 1; }
tar -xzf "$cache"/*.tar.gz -C "$cache/source" --strip-components 1

interpreter() { # prints the path of Python $1, if this machine has it
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
        "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null && echo "$candidate" && return
    done
    return 1
}

for version in 3.10 3.13; do
    if ! python=$(interpreter "$version"); then
        echo "SKIPPED runtime on Python $version: no such interpreter on this machine"
        continue
    fi
    venv=$cache/venv-$version
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$(echo "$cache"/*.whl)[cpu]" pytest pytest-timeout hypothesis
    echo "runtime on Python $version: $("$venv/bin/python" -m pip list 2>/dev/null | grep -E '^(onnxruntime|numpy|tokenizers|edgener)' | tr -s ' \n' ' ,')"
    (cd "$cache/source/tests" && "$venv/bin/python" -m pytest -c /dev/null --rootdir . -p no:cacheprovider --import-mode=importlib --timeout 300 -q -ra .)
done
