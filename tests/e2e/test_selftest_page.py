"""docs/how-to/selftest.md lists the checks there are."""

from __future__ import annotations

import re
from pathlib import Path

from edgener_runtime.commissioning.selftest.checks import CHECKS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "selftest.md"
TABLE = re.compile(r"<!-- checks -->\n(.*)<!-- /checks -->\n", re.DOTALL)


def test_the_page_has_every_check_in_order() -> None:
    rows = "".join(f"| {check.name} | {check.proves} |\n" for check in CHECKS)
    [table] = TABLE.findall(PAGE.read_text(encoding="utf-8"))
    assert table == f"| check | what it proves |\n|---|---|\n{rows}"
