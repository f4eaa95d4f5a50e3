"""Labelled data for commands whose work is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one sentence per split."""
    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "valid", "test"):
        (folder / f"{split}.txt").write_text("Pump B-PART\nleaks O\n")
    return folder
