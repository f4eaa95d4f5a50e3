"""Labelled data for commands whose work is replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgener.train.few_examples import FEW


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one sentence for valid and test, and enough of it for train that the default settings hold."""
    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "valid", "test"):
        (folder / f"{split}.txt").write_text("Pump B-PART\nleaks O\n\n" * (FEW if split == "train" else 1))
    return folder
