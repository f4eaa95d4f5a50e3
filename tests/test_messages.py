"""A message stands alone: what it refers to may be suppressed, or in another stream that nobody reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("edgener", "exporters/edgener_exporters", "runtime/edgener_runtime")
ELSEWHERE = re.compile(
    r"\b(?:is|are|see|shown|listed|printed|lines?|messages?|reasons?|reports?|output) above\b"
    r"|\babove (?:report|message|output|error|warning)s?\b|\bsee the (?:log|output|warning|report)s?\b",
    re.IGNORECASE,
)


def pointers(source: str) -> Iterator[tuple[int, str]]:
    """Strings, other than docstrings, that refer to something printed elsewhere."""
    tree = ast.parse(source)
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings]
    for constant in constants:
        if isinstance(constant.value, str) and (found := ELSEWHERE.search(constant.value)):
            yield constant.lineno, found[0]


def test_no_message_refers_to_what_may_not_be_shown() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: {words}"
        for folder in SOURCES
        for file in sorted((ROOT / folder).rglob("*.py"))
        for line, words in pointers(file.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text", ["the reasons are above", "They are listed above.", "For details look at the above report!", "see the log"]
)
def test_such_a_message_is_found(text: str) -> None:
    assert list(pointers(f"raise ValueError({text!r})"))
    assert not list(pointers(f"def work():\n    {text!r}\n"))
