"""Every path that CONTRIBUTING.md names exists; NAME and TOPIC stand for what is new."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SHAPE = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:md|txt|py))`")


def missing(text: str) -> list[str]:
    """The paths that do not exist; of a new file, its folder must."""
    paths = [path for path in SHAPE.findall(text) if not path.startswith("out/")]
    return [path for path in paths if not (ROOT / re.sub(r"(TOPIC/)?[^/]*NAME.*", "", path)).exists()]


def test_every_path_exists() -> None:
    assert missing(TEXT) == []


@pytest.mark.parametrize("path", ["edgener/no_such_file.py", "edgener/nowhere/NAME.py", "docs/nowhere/"])
def test_a_path_that_does_not_exist_is_found(path: str) -> None:
    assert missing(f"`{path}`") == [path]


@pytest.mark.parametrize("topic", ["variant", "reader", "device", "command", "encoder"])
def test_each_kind_of_addition_has_its_list_of_files(topic: str) -> None:
    section = TEXT.partition(f"## A new {topic}\n")[2].partition("\n## ")[0]
    assert len(SHAPE.findall(section)) >= 4
