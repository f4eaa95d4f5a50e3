"""BERT-base goes through every builder on a machine with 8 GB of memory."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from edgener.bundle.tokenizer import TOKENIZER, write_tokenizer
from edgener.checkpoint import open_checkpoint
from edgener.data.factory import factory_splits
from edgener_exporters.graph.roles import find_products
from edgener_exporters.variants import VARIANTS
from edgener_runtime.bundle.manifest import TokenizerSettings

from ..conftest import wordpiece

pytestmark = pytest.mark.slow

MOST = 8_000_000_000  # bytes
# Share of FP32's bytes: a quarter or a half, and what is not quantised (int8-qdq has its embeddings in FP16).
LARGEST = {"int8": 0.32, "fp16": 0.51, "fp32": 1.0}
BUILT = [name for name, variant in VARIANTS.items() if variant.build or variant.planned]
SCRIPT = Path(__file__).with_name("build_alone.py")


def peak_of(*arguments: object) -> int:
    """The most memory, in bytes, that a Python process with these arguments holds at once."""
    process = subprocess.Popen([sys.executable, *map(str, arguments)])
    _, status, usage = os.wait4(process.pid, 0)  # RUSAGE_CHILDREN has but the largest of all children so far
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 layers, 768 wide, random weights, and a few dozen sentences."""
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("base")
    texts = [sentence.text for sentence in factory_splits()["train"].sentences]
    names = ("O", "B-PART", "I-PART")
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}
    torch.manual_seed(1)
    model = transformers.AutoModelForTokenClassification.from_config(transformers.BertConfig(**labels))
    model.save_pretrained(folder / "checkpoint")
    wordpiece(texts, lowercase=False).save_pretrained(folder / "checkpoint")
    write_tokenizer(open_checkpoint(folder / "checkpoint"), folder)
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    settings = TokenizerSettings(TOKENIZER, max_length=512, stride=128, pad_id=0, inputs=inputs)
    (folder / "settings.json").write_text(json.dumps(dataclasses.asdict(settings)))
    (folder / "texts.json").write_text(json.dumps(texts[:48]))
    return folder


@pytest.fixture(scope="module")
def exported(base: Path) -> int:
    """The peak of the FP32 export, which leaves fp32.onnx."""
    return peak_of(SCRIPT, "fp32", base)


def test_the_export_to_fp32_stays_below_8_gb(base: Path, exported: int) -> None:
    assert exported < MOST
    assert len(find_products(onnx.load(base / "fp32.onnx"))) == 12 * 6 + 1


@pytest.mark.parametrize("name", BUILT)
def test_a_builder_stays_below_8_gb(name: str, base: Path, exported: int) -> None:
    assert peak_of(SCRIPT, name, base) < MOST
    written = base / f"{name}.onnx"
    share = written.stat().st_size / (base / "fp32.onnx").stat().st_size
    written.unlink()
    assert share < LARGEST[VARIANTS[name].precision]


def test_a_process_that_takes_3_gb_is_measured_so() -> None:
    assert 3e9 < peak_of("-c", "bytearray(b'x') * 3_000_000_000") < 4e9
