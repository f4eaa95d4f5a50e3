"""The install lines in documents are those of the function that error hints take theirs from, and they work today."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomllib

from edgener_runtime.base.install import BUILD_SIDE, RUNTIME, checkout_line, published_line

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "runtime/README.md", "docs/**/*.md", "recipes/*.md", "recipes/*.service")
PROJECTS = {RUNTIME: ROOT / "runtime" / "pyproject.toml", BUILD_SIDE: ROOT / "pyproject.toml"}
# `pip install "edgener-runtime[cpu,serve]"`, from the package index: it has no path and no URL.
_PUBLISHED = re.compile(r'pip install (?:--[\w-]+(?: \w+)? )*"?(edgener(?:-runtime)?)(?:\[([\w,]+)\])?(?![\w.@-])"?')


def documents(root: Path) -> list[Path]:
    return sorted(path for pattern in DOCUMENTS for path in root.glob(pattern))


def extras(distribution: str) -> set[str]:
    table = tomllib.loads(PROJECTS[distribution].read_text(encoding="utf-8"))["project"]
    return set(table["optional-dependencies"])


def requirement(line: str) -> str:
    """What a line of ours installs: "./runtime[cpu]" of `pip install "./runtime[cpu]"  # published: ...`."""
    return line.partition("  # ")[0].removeprefix("pip install ").strip('"')


def faults(text: str) -> Iterator[str]:
    """Published forms of extras that there are not, and those whose working form is not in the same document."""
    for match in _PUBLISHED.finditer(text):
        distribution, named = match[1], match[2] or ""
        if unknown := set(filter(None, named.split(","))) - extras(distribution):
            yield f"{match[0]}: no such extra: {', '.join(unknown)}"
        elif "--no-index" not in match[0] and not shows(text, requirement(checkout_line(named, distribution))):
            yield f"{match[0]}: the form that works today is not beside it: {checkout_line(named, distribution)}"


def shows(text: str, wanted: str) -> bool:
    """Whether some command of the text installs that, alone or with others."""
    words = [word.strip('"`') for line in re.findall(r"pip install (.*)", text) for word in line.split("#")[0].split()]
    return wanted in words


@pytest.mark.parametrize("document", documents(ROOT), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_published_line_has_the_one_that_works_beside_it(document: Path) -> None:
    assert list(faults(document.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("distribution", PROJECTS)
def test_the_lines_of_the_function_pass_and_are_seen(distribution: str) -> None:
    for extra in ("", *extras(distribution)):
        line = checkout_line(extra, distribution)
        assert list(faults(line)) == []
        assert len(list(faults(published_line(extra, distribution)))) == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('`pip install "edgener-runtime[gpu]"`', "no such extra: gpu"),
        ("pip install edgener", "the form that works today is not beside it"),
        ('pip install "./runtime[cpu]"\npip install "edgener-runtime[cuda]"', "the form that works today is not"),
    ],
)
def test_a_planted_fault_is_found(text: str, fault: str) -> None:
    (found,) = faults(text)
    assert fault in found
