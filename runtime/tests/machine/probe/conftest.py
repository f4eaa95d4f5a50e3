"""Boards as file trees; see boards.py for what they are worth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .boards import BOARDS, lay_out

Board = Callable[[str], Path]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """`board("orin-nano")` lays out that board's files and gives their root."""
    return lambda name: lay_out(BOARDS[name], tmp_path / name)
