"""The documents name the encoders that the exporters' tests cover, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from ..exporters.conftest import ARCHITECTURES

ROOT = Path(__file__).resolve().parents[2]


def test_the_documents_name_the_architectures_that_are_tested() -> None:
    page = (ROOT / "docs" / "reference" / "supported.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| every variant", page, re.M)
    assert [name.lower() for name in rows] == list(ARCHITECTURES)
    [line] = re.findall(r"^- \*\*Encoders:\*\* (.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert all(name in line for name in rows)
