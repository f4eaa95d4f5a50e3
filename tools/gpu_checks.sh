#!/usr/bin/env bash
# gpu_checks.sh [FOLDER]: what needs a GPU to be seen, in one run of at most nine minutes. Not run on a GPU yet.
#
# FOLDER (else $OUT, else out/gpu-checks) gets at most eight files: summary.txt, summary.json and log.txt, written again
# after each part, and the results of the parts. The exit code is 1 if a part failed, 0 otherwise: a part that fails or
# reaches its time limit (exit code 124 or 137) does not stop the others.
#
# It needs bash, coreutils and a Python 3.11 or newer. Settings from the environment:
#   VENV=FOLDER    run in this environment, as it is; else one is made on top of what PYTHON sees
#   PYTHON=python3
#   WHEELS=FOLDER  install what is missing from these wheels, and from no package index
#   DEVICE=cuda    `cpu` tries the script itself on a machine without a GPU
#   PARTS=FILE     other parts than tools/gpu/parts.txt: a name, a limit in seconds, and a command for bash on each line
set -uo pipefail
out=${1:-${OUT:-out/gpu-checks}}
mkdir -p "$out" || exit 2
OUT=$(cd "$out" && pwd)
cd "$(dirname "$0")/.." || exit 2
WORK=$(mktemp -d "${TMPDIR:-/tmp}/gpu-checks.XXXXXX") || exit 2
trap 'rm -rf "$WORK"' EXIT
parts=${PARTS:-tools/gpu/parts.txt}
DEVICE=${DEVICE:-cuda} PYTHON=${PYTHON:-python3} GRACE=2
export OUT WORK DEVICE PYTHON PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false
export PYTHONPATH=$PWD:$PWD/exporters:$PWD/runtime
export TORCHINDUCTOR_CACHE_DIR=$WORK/inductor # each turn is a fresh process: compile once
names=() codes=() seconds=() limits=()

pick_python() { # the environment that was given, else the one that was made, else the system's
    local venv=${VENV:-$WORK/venv}
    PY=$PYTHON
    [[ -x $venv/bin/python ]] && PY=$venv/bin/python
    export PY
}

run_part() { # NAME LIMIT COMMAND
    local start=$SECONDS code
    pick_python
    echo "== $1 (at most $2 s)"
    timeout --kill-after="$GRACE" "$2" bash -o pipefail -c "$3" </dev/null
    code=$?
    names+=("$1") limits+=("$2") codes+=("$code") seconds+=($((SECONDS - start)))
    echo "== $1: exit code $code after ${seconds[-1]} s"
}

failed() {
    local code count=0
    for code in "${codes[@]}"; do [[ $code == 0 ]] || count=$((count + 1)); done
    echo "$count"
}

write_summary() {
    local i comma=""
    {
        printf '%-16s %9s %8s %6s\n' part "exit code" seconds limit
        for i in "${!names[@]}"; do
            printf '%-16s %9s %8s %6s\n' "${names[i]}" "${codes[i]}" "${seconds[i]}" "${limits[i]}"
        done
        echo "$(failed) of ${#names[@]} parts failed"
    } >"$OUT/summary.txt"
    {
        printf '{"schema_version": 1, "failed": %s, "parts": [' "$(failed)"
        for i in "${!names[@]}"; do
            printf '%s\n  {"name": "%s", "exit_code": %s, "seconds": %s, "limit_seconds": %s}' \
                "$comma" "${names[i]}" "${codes[i]}" "${seconds[i]}" "${limits[i]}"
            comma=,
        done
        printf '\n]}\n'
    } >"$OUT/summary.json"
}

run_parts() {
    local name limit command
    while read -r name limit command <&3; do
        [[ -z $name || $name == \#* ]] && continue
        run_part "$name" "$limit" "$command"
        write_summary
    done 3<"$parts"
    cat "$OUT/summary.txt"
    ((${#names[@]} > 0)) && [[ $(failed) == 0 ]]
}

run_parts > >(tee "$OUT/log.txt") 2>&1
code=$?
wait # for tee
exit "$code"
