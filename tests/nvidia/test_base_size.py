"""BERT-base in FP16 at 8x512, built by TensorRT for RTX through the command; not run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener.data.factory import factory_splits

from ..conftest import wordpiece
from .bundles import make_bundle
from .conftest import Environment

pytestmark = [pytest.mark.environment, pytest.mark.slow]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a BERT-base with random weights: 12 layers, 768 wide, FP32 and FP16."""
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("base")
    texts = [sentence.text for sentence in factory_splits()["train"].sentences[:200]]
    labels = ("O", "B-PART", "I-PART")
    names: dict[str, Any] = {
        "id2label": dict(enumerate(labels)),
        "label2id": {name: i for i, name in enumerate(labels)},
    }
    torch.manual_seed(1)
    model = transformers.AutoModelForTokenClassification.from_config(transformers.BertConfig(**names))
    model.save_pretrained(folder / "checkpoint")
    wordpiece(texts, lowercase=False).save_pretrained(folder / "checkpoint")
    make_bundle(folder / "checkpoint", ["fp16"], texts[:16], folder / "bundle")
    return folder / "bundle"


def test_it_builds(rtx: Environment, base: Path, command: Callable[..., Any]) -> None:
    done = command("edgener", "build-engine", base, "--backend", "tensorrt-rtx", "--compute-capability", "8.6",
                   "--variant", "fp16", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    (sidecar,) = json.loads(done.stdout)
    assert [profile["maximum"] for profile in sidecar["profiles"]] == [[1, 512], [8, 512]]
    engine = base.with_name("bundle.engines") / "fp16.engine"
    assert engine.stat().st_size == sidecar["engine_size"]
    assert sidecar["engine_size"] < 0.6 * (base / "variants" / "fp32.onnx").stat().st_size
