"""The verdicts of a comparison as GitHub annotations and as JUnit XML."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from xml.etree import ElementTree

from edgener.compare.compare import NOT_JUDGED, BenchComparison, ComparedRow, FileComparison
from edgener.compare.match import describe
from edgener.parity.gate import Verdict
from edgener.report.canvas import xml_text

_COMMANDS: dict[str, str] = {Verdict.FAIL: "error", Verdict.INCONCLUSIVE: "warning"}
_ESCAPED = {"%": "%25", "\r": "%0D", "\n": "%0A"}  # a line of the log is a command, which these would end or change
_IN_PROPERTIES = _ESCAPED | {":": "%3A", ",": "%2C"}
# In JUnit's terms a failure is a fault that was found, and an error prevented the search for faults.
_ELEMENTS: dict[str, str] = {Verdict.FAIL: "failure", Verdict.INCONCLUSIVE: "error", NOT_JUDGED: "skipped"}


def github_lines(comparison: BenchComparison) -> Iterator[str]:
    """A workflow command of GitHub Actions for each row that did not pass, and a notice of the verdict."""
    for against in comparison.against:
        for row in against.rows:
            if command := _COMMANDS.get(row.verdict):
                yield _annotation(command, f"{against.name}: {describe(row.case)}", _sentence(row))
    judged = [row for against in comparison.against for row in against.rows if row.verdict != NOT_JUDGED]
    yield _annotation("notice", "edgener compare", f"{comparison.verdict}: {len(judged)} rows were judged")


@contextmanager
def no_commands(write: Callable[[str], None]) -> Iterator[None]:
    """Lines printed in this context are not commands to GitHub, whatever names and reasons they hold."""
    token = secrets.token_hex(16)
    write(f"::stop-commands::{token}")
    yield
    write(f"::{token}::")


def junit(comparison: BenchComparison) -> str:
    """One suite per file, one case per row; an inconclusive row is an error, a row that was not judged is skipped."""
    root = ElementTree.Element("testsuites", name="edgener compare")
    for against in comparison.against:
        root.append(_suite(against, comparison.base))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(against: FileComparison, base: str) -> ElementTree.Element:
    name = xml_text(f"{against.name} against {base}")
    suite = ElementTree.Element("testsuite", name=name, tests=str(len(against.rows)))
    for element in ("failure", "error", "skipped"):
        count = sum(_ELEMENTS.get(row.verdict) == element for row in against.rows)
        suite.set(element if element == "skipped" else f"{element}s", str(count))
    for row in against.rows:
        case = ElementTree.SubElement(suite, "testcase", classname=name, name=xml_text(describe(row.case)))
        if found := _ELEMENTS.get(row.verdict):
            ElementTree.SubElement(case, found, message=xml_text(_sentence(row)), type=row.verdict)
        if row.marks:
            ElementTree.SubElement(case, "system-out").text = xml_text("\n".join(row.marks))
    return suite


def _sentence(row: ComparedRow) -> str:
    return f"{row.verdict}: {row.figure}, {row.reason}" if row.reason else f"{row.verdict}: {row.figure}"


def _annotation(command: str, title: str, message: str) -> str:
    return f"::{command} title={_escaped(title, _IN_PROPERTIES)}::{_escaped(message, _ESCAPED)}"


def _escaped(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(character, character) for character in text)
