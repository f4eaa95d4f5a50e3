#!/usr/bin/env bash
# run_tests.sh PYTHON JUNIT: the tests that are marked gpu. Skipped tests prove nothing: exit code 1 if none ran.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
mapfile -t files < <(grep -rlE 'mark\.gpu\b' --include='test_*.py' tests runtime/tests | sort)
"$1" -m pytest -q -rs -p no:cacheprovider -m gpu --junitxml "$2" "${files[@]}" || exit $?
"$1" - "$2" <<'PY'
import sys
from xml.etree import ElementTree

suite = ElementTree.parse(sys.argv[1]).getroot().find("testsuite")
ran = int(suite.get("tests")) - int(suite.get("skipped"))
print(ran, "tests ran,", suite.get("skipped"), "were skipped")
sys.exit(ran == 0)
PY
