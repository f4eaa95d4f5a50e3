"""The page on model cards shows the committed card of CoNLL-2003."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "docs"))
from quoted import model_card  # noqa: E402


def test_the_page_has_the_committed_card() -> None:
    page = (ROOT / "docs" / "reference" / "model-card.md").read_text(encoding="utf-8")
    assert page.partition("<!-- card -->\n")[2].partition("\n<!-- /card -->")[0] == model_card()
