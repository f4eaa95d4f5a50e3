"""docs/reference/devices.md shows the tables of platforms as they are, and what `devices` prints."""

from __future__ import annotations

import re
from pathlib import Path

from edgener_runtime.machine.probe.describe import describe, platforms_page
from edgener_runtime.machine.probe.record import probe

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "devices.md").read_text(encoding="utf-8")


def between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0].strip("\n")


def test_the_tables_are_those_of_the_code() -> None:
    found = between(PAGE, "<!-- platforms -->", "<!-- /platforms -->")
    assert found == platforms_page(), "paste what edgener-runtime devices --markdown prints"


def test_the_printed_topics_and_devices_are_those_of_the_command() -> None:
    """Not their values, which are this machine's."""
    shown = between(PAGE, "$ edgener-runtime devices\n", "```").splitlines()
    printed = describe(probe())
    optional = {"gpu", "power", "clock", "celsius"}  # where there are some
    assert names(shown) - optional == names(printed) - optional
    assert shown[-1] == printed[-1]


def names(lines: list[str]) -> set[str]:
    """The first words of those lines that begin a topic or a device."""
    return {match[0] for match in (re.match(r"[a-z][a-z-]*", line) for line in lines) if match}
