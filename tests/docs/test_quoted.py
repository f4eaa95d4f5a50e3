"""Parts of pages are renewed between their marks, and each page of the table has its marks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "docs"))
from quoted import QUOTED, THIS_MACHINE, renew  # noqa: E402


def test_each_page_has_its_marks() -> None:
    for page, begin, end, _ in (*QUOTED, *THIS_MACHINE):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert text.count(f"{begin}\n") == 1 and end in text.partition(begin)[2]


def test_only_the_part_between_the_marks_is_renewed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x -->\nold\n<!-- /x -->\nb\n", encoding="utf-8")
    assert renew(page, "<!-- x -->", "<!-- /x -->", "new\n")
    assert page.read_text(encoding="utf-8") == "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"
    assert not renew(page, "<!-- x -->", "<!-- /x -->", "new")


def test_a_page_without_its_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="is missing"):
        renew(page, "<!-- x -->", "<!-- /x -->", "new")
