"""Links between the documents lead to files that exist, and the site translates them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "docs"))
from links import linked_files, loaded_from_elsewhere, repository_path, site_path, translated  # noqa: E402

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md")])
PAGES += [ROOT / "recipes" / "README.md", ROOT / "runtime" / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    linked = linked_files(page.relative_to(ROOT).as_posix())
    assert [link for link in linked if not (ROOT / link).is_file()] == []


@pytest.mark.parametrize(
    "folder", ["edgener", "exporters", "runtime/edgener_runtime", "tools", "benchmarks", "examples"]
)
def test_every_page_that_code_names_exists(folder: str) -> None:
    """In hints, helps and comments."""
    sources = ((path, path.read_text(encoding="utf-8")) for path in (ROOT / folder).rglob("*.py"))
    named = {(str(path), page) for path, text in sources for page in re.findall(r"\bdocs/[\w/-]+\.(?:md|png)", text)}
    assert [(path, page) for path, page in sorted(named) if not (ROOT / page).is_file()] == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    text = "[a](../README.md) and [b](gone.md#there), but not `[c](code.md)`"
    assert list(linked_files("docs/page.md", text)) == ["README.md", "docs/gone.md"]
    assert not (ROOT / "docs" / "gone.md").exists()


def test_what_a_page_would_load_from_elsewhere_is_found() -> None:
    page = '<a href="https://a.org">a</a><script src="https://b.org/b.js"></script><link rel=x href=http://c.org/c.css>'
    assert loaded_from_elsewhere(page) == ["https://b.org/b.js", "http://c.org/c.css"]


def test_every_page_is_in_the_navigation() -> None:
    navigation = re.findall(r"^ +- (?:[\w ]+: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.M)
    generated = {"docs/reference/edgener.md", "docs/reference/edgener-runtime.md"}
    assert {repository_path(page) for page in navigation} - generated == {
        page.relative_to(ROOT).as_posix() for page in PAGES
    }


@pytest.mark.parametrize("source", ["README.md", "docs/how-to/train.md", "benchmarks/README.md"])
def test_a_path_goes_to_the_site_and_back(source: str) -> None:
    assert repository_path(site_path(source)) == source


@pytest.mark.parametrize(
    ("site", "markdown", "expected"),
    [
        ("index.md", "[a](docs/how-to/train.md#score-it)", "[a](how-to/train.md#score-it)"),
        ("how-to/train.md", "[a](../../benchmarks/README.md)", "[a](../repository/benchmarks/README.md)"),
        ("repository/benchmarks/README.md", "![a](../docs/cost.png)", "![a](../../cost.png)"),
        ("how-to/train.md", "[a](https://example.org) `[b](c.md)`", "[a](https://example.org) `[b](c.md)`"),
    ],
)
def test_a_link_is_translated_for_the_site(site: str, markdown: str, expected: str) -> None:
    assert translated(markdown, site) == expected
