"""The documents show the table of architectures, and the README names those that must work, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgener_exporters.architectures import ARCHITECTURES, Architecture, RequiredSetting, architectures_table
from edgener_exporters.variants import VARIANTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "supported.md").read_text(encoding="utf-8")
IN_THE_README = (
    "BERT, DistilBERT, RoBERTa, XLM-RoBERTa, CamemBERT, ELECTRA, ALBERT, MPNet, DeBERTa v1 to v3, ModernBERT"
)


def test_the_page_shows_the_table() -> None:
    shown = PAGE.partition("<!-- encoders: begin -->\n")[2].partition("<!-- encoders: end -->")[0]
    assert shown.strip("\n") == architectures_table(VARIANTS), "python tools/docs/quoted.py"
    assert re.findall(r"^\| [^|]+ \| `([\w-]+)` \|", shown, re.M) == ["model_type", *ARCHITECTURES]


def test_the_readme_names_the_first_rows() -> None:
    [line] = re.findall(r"^- \*\*Encoders:\*\* ((?:.+\n)+?)- ", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    named = " ".join(line.split()).partition(" and ")[0]
    assert named == IN_THE_README
    titles = {row.title for row in list(ARCHITECTURES.values())[:10]}
    assert {name for name in named.split(", ") if "DeBERTa" not in name} == titles - {"DeBERTa v2 and v3"}


def test_a_row_shows_what_is_refused_and_what_it_requires(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = RequiredSetting("kind", "plain", "")
    row = Architecture("toy", "Toy", refused={"fp16": "a reason"}, setting=setting)
    monkeypatch.setitem(ARCHITECTURES, "toy", row)
    last = architectures_table(("fp16", "fp32")).splitlines()[-1]
    assert last == "| Toy | `toy` | fp32; not the others: a reason; with `kind` plain |"
