"""What needs pyarrow says how to install it; everything else works without."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgener_runtime.bulk import BatchTagger, engines
from edgener_runtime.errors import UserInputError

from .conftest import TagFile, write_lines

pytestmark = pytest.mark.compat


@pytest.fixture(autouse=True)
def no_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)


def test_parquet_names_the_extra(tag_file: TagFile, tmp_path: Path) -> None:
    (tmp_path / "in.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserInputError, match="Arrow and Parquet tables need pyarrow") as raised:
        tag_file(tmp_path / "in.parquet")
    assert raised.value.hint and "pip install" in raised.value.hint and "[bulk]" in raised.value.hint


def test_other_formats_and_batches_do_not_need_it(tag_file: TagFile, bundle: Path, tmp_path: Path) -> None:
    assert len(tag_file(write_lines(tmp_path / "in.jsonl", [{"text": "Pump leaks"}])).records) == 1
    (tmp_path / "in.csv").write_text("text\nPump leaks\n")
    assert tag_file(tmp_path / "in.csv").data.startswith(b"text,entities\nPump leaks,")
    assert BatchTagger(str(bundle))({"text": np.array(["Pump leaks"])})["rejected"].tolist() == [None]
    with pytest.raises(UserInputError, match="need pyarrow"):
        engines._tag_arrow(BatchTagger(str(bundle)), None)
