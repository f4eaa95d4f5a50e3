"""Files that are not text: the error names their kind and the next step, whatever the format that was asked for."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from edgener.data.read import DataSpec, read_splits
from edgener_runtime.errors import UserInputError

RECORD = json.dumps({"text": "Mira left.", "entities": []}).encode()


def zipped(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return made.getvalue()


def tarred() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.jsonl"))
    return made.getvalue()


def onnx_model() -> bytes:
    import onnx

    made = onnx.helper.make_graph([], "empty", [], [])
    return bytes(onnx.helper.make_model(made, producer_name="test").SerializeToString())


def safetensors() -> bytes:
    import numpy as np
    from safetensors.numpy import save

    return bytes(save({"weight": np.zeros(3, dtype=np.float32)}))


def torch_weights() -> bytes:
    import torch

    made = io.BytesIO()
    torch.save({"weight": torch.zeros(3)}, made)
    return made.getvalue()


KINDS = [
    (lambda: gzip.compress(RECORD), "a gzip archive", "gunzip --keep a.data"),
    (lambda: bz2.compress(RECORD), "a bzip2 archive", "bunzip2"),
    (lambda: lzma.compress(RECORD), "an xz archive", "unxz"),
    (lambda: zlib.compress(RECORD), "compressed data (zlib", "spaCy"),
    (lambda: zipped("a.jsonl"), "a zip archive", "Unpack it"),
    (lambda: zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"), "an Excel workbook", "CSV"),
    (lambda: zipped("[Content_Types].xml", "word/document.xml"), "a Word document", "Export its text"),
    (tarred, "a tar archive", "tar -xf a.data"),
    *((lambda p=p: pickle.dumps(RECORD, protocol=p), "a Python pickle", "JSON Lines") for p in (2, 4, 5)),
    (onnx_model, "an ONNX model", "belongs to a model"),
    (safetensors, "weights in safetensors", "belongs to a model"),
    (torch_weights, "weights of PyTorch", "belongs to a model"),
    (lambda: "Mira B-PER\n".encode("utf-16-le"), "UTF-16 without a byte order mark", "iconv -f UTF-16LE"),
    (lambda: "Mira B-PER\n".encode("utf-16"), "the byte order mark of UTF-16", "iconv -f UTF-16 -t UTF-8 a.data"),
]  # fmt: skip


@pytest.mark.parametrize("form", ["auto", "json", "conll", "csv", "lines", "text-spans"])
@pytest.mark.parametrize("kind", KINDS, ids=[name for _, name, _ in KINDS])
def test_the_error_names_the_kind_whatever_the_format(tmp_path: Path, form: str, kind: tuple) -> None:  # type: ignore[type-arg]
    make, name, hint = kind
    (tmp_path / "a.data").write_bytes(make())
    with pytest.raises(UserInputError) as error:
        read_splits(DataSpec(str(tmp_path / "a.data"), format=form))
    assert name in error.value.message and hint in error.value.hint


@pytest.mark.parametrize("form", ["json", "conll", "text-spans"])
def test_a_parquet_file_read_as_text_is_named_with_its_format(tmp_path: Path, form: str) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"tokens": [["Mira"]], "ner_tags": [["B-PER"]]}), tmp_path / "a.parquet")
    with pytest.raises(UserInputError, match="a Parquet file") as error:
        read_splits(DataSpec(str(tmp_path / "a.parquet"), format=form))
    assert "--format parquet" in error.value.hint


@pytest.mark.parametrize("text", ["PAR1 B-LOC\nleft O\n", "BZhang B-PER\nleft O\n", "GGUF B-ORG\nruns O\n"])
def test_text_that_begins_like_a_signature_is_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.conll").write_text(text)
    assert read_splits(DataSpec(str(tmp_path / "a.conll"), format="conll"))["all"].sentences[0].spans


def test_a_stray_nul_does_not_make_text_binary(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"The pump \0 leaks in the hall.\nThe valve is stuck.\n")
    assert len(read_splits(DataSpec(str(tmp_path / "a.txt")))["all"].sentences) == 2
