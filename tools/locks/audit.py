"""python -m tools.locks.audit PIP_AUDIT FILE...: what lock files pin and is known to be vulnerable, by pip-audit.

Exit code 0: none is known. 3: some are, and they are listed. 4: no database answered; the reason of each is printed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .pins import Pin, read_pins

NONE, FOUND, UNANSWERED = 0, 3, 4
DATABASES = ("pypi", "osv")
# A release with known vulnerabilities. A database that finds none there has no answers, such as one of a mirror.
KNOWN = "urllib3==1.26.4"
_SECONDS = "15"  # for one answer


class UnansweredError(Exception):
    """A database that gave no answer, or not all; with the reason."""


def audit(program: Sequence[str], pins: Iterable[Pin], database: str) -> list[str]:
    """A line per known vulnerability. Raises UnansweredError."""
    if not any(_ask(program, [KNOWN], database)):
        raise UnansweredError(f"it knows of no vulnerability in {KNOWN}, which has some")
    return [line for group in _groups(pins) for line in _ask(program, group, database)]


def _groups(pins: Iterable[Pin]) -> Iterator[list[str]]:
    """All pins whatever their markers: a group has no package twice."""
    versions: dict[str, list[str]] = {}
    for pin in pins:
        found = versions.setdefault(pin.name, [])
        found += [] if pin.version in found else [pin.version]
    for number in range(max(map(len, versions.values()), default=0)):
        yield [f"{name}=={found[number]}" for name, found in sorted(versions.items()) if number < len(found)]


def _ask(program: Sequence[str], requirements: Sequence[str], database: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        options = ["--strict", "--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", _SECONDS]
        words = [*program, *options, "--format", "json", "--vulnerability-service", database, "--requirement", file]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    try:
        answered: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:  # an error of pip-audit has the exit code of a vulnerability, and no output
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UnansweredError(reason) from None
    for entry in answered:
        for each in entry["vulns"]:
            fixed = ", ".join(each["fix_versions"]) or "no version"
            yield f"{entry['name']} {entry['version']}: {each['id']}, fixed in {fixed}"


def main(program: str, *files: str) -> int:
    """Ask one database after the other, until one answers."""
    pins = [pin for file in files for pin in read_pins(Path(file))]
    for database in DATABASES:
        try:
            lines = audit([program], pins, database)
        except UnansweredError as error:
            print(f"{database}: {error}", file=sys.stderr)  # noqa: T201
            continue
        print("\n".join(sorted(set(lines))) or f"{len(pins)} pins: no known vulnerability, by {database}")  # noqa: T201
        return FOUND if lines else NONE
    print("SKIPPED the audit: no database of vulnerabilities answered", file=sys.stderr)  # noqa: T201
    return UNANSWERED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
