"""Small models with random weights, of the architectures that people fine-tune for named entities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from edgener.data.types import Dataset
from edgener_exporters.calibrate.calibration import Calibration
from edgener_runtime.text.tokenize import TextTokenizer

BuildOnce = Callable[[str, Callable[[Path], object]], Path]
LABELS = ("O", "B-PART", "I-PART", "B-FAULT", "I-FAULT")
_BERT = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 140,
}
# Configuration class of transformers, and its settings: the layout of bert-base-cased and its relatives, only small.
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertConfig", _BERT),
    "roberta": ("RobertaConfig", _BERT | {"type_vocab_size": 1, "pad_token_id": 1}),
    "distilbert": (
        "DistilBertConfig",
        {"vocab_size": 120, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 140},
    ),
    "electra": ("ElectraConfig", _BERT | {"embedding_size": 16}),
}


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`make_checkpoint("bert")` is the folder of such a model; settings of its configuration can be overridden."""
    import torch
    import transformers

    def make(architecture: str, **settings: Any) -> Path:
        name, defaults = ARCHITECTURES[architecture]
        labels = {"id2label": dict(enumerate(LABELS)), "label2id": {label: i for i, label in enumerate(LABELS)}}
        config = getattr(transformers, name)(**(defaults | labels | settings))
        torch.manual_seed(0)
        model = transformers.AutoModelForTokenClassification.from_config(config)
        with torch.no_grad():  # a fresh model answers nearly the same to everything: too weak a test
            for parameter in model.parameters():
                parameter += 0.2 * torch.randn_like(parameter)
        folder = tmp_path_factory.mktemp(architecture)
        model.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def bert(make_checkpoint: Callable[..., Path]) -> Path:
    """A small BERT with random weights."""
    return make_checkpoint("bert")


@pytest.fixture(scope="session")
def bert_onnx(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its FP32 graph."""
    from edgener_exporters.graph.onnx import export_onnx

    file = tmp_path_factory.mktemp("graph") / "fp32.onnx"
    export_onnx(bert, file)
    return file


@dataclass(frozen=True)
class Encoder:
    """A small checkpoint with random weights, its FP32 graph, and text for it."""

    checkpoint: Path
    fp32: Path
    tokenizer: TextTokenizer
    calibration: Calibration


@pytest.fixture(scope="session")
def encoder(
    make_model: Callable[[str], Path],
    small_factory: dict[str, Dataset],
    tmp_path_factory: pytest.TempPathFactory,
    build_once: BuildOnce,
) -> Callable[[str], Encoder]:
    """`encoder("bert-cased")`, exported once; also roberta, distilbert and electra."""
    from edgener.bundle.tokenizer import TOKENIZER, tokenizer_settings, write_tokenizer
    from edgener.checkpoint import open_checkpoint
    from edgener_exporters.graph.onnx import export_onnx

    texts = [sentence.text for sentence in small_factory["train"].sentences[:60]]

    @cache
    def make(name: str) -> Encoder:
        checkpoint = open_checkpoint(make_model(name))
        folder = build_once(f"{name}-graph", lambda folder: export_onnx(checkpoint.path, folder / "fp32.onnx"))
        write_tokenizer(checkpoint, folder)
        tokenizer = TextTokenizer(folder / TOKENIZER, tokenizer_settings(checkpoint, folder / "fp32.onnx"))
        calibration = Calibration(texts, tokenizer, cache=tmp_path_factory.mktemp("cache"))
        return Encoder(checkpoint.path, folder / "fp32.onnx", tokenizer, calibration)

    return make


@pytest.fixture(scope="session")
def cased(encoder: Callable[[str], Encoder]) -> Encoder:
    """A small cased BERT."""
    return encoder("bert-cased")
