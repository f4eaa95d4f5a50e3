"""A pruned checkpoint: fewer layers, narrower feed-forward parts, a smaller vocabulary; plain transformers loads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from edgener.checkpoint import RECORD, Checkpoint
from edgener.data.types import Sentence
from edgener.encoding import TextEncoder, load_tokenizer
from edgener.parity.measures.metrics import entity_scores
from edgener.parity.measures.tagging import tag
from edgener.parity.reference import PyTorchModel
from edgener_exporters.checkpoint.load import load_reference
from edgener_exporters.graph.onnx import input_names
from edgener_runtime.base.serde import to_json
from edgener_runtime.errors import ExportError

from .architectures import feed_forwards_of, layers_of
from .candidates import ModelShape
from .feed_forward import keep_neurons, neuron_importances
from .layers import keep_layers, only_layers
from .vocabulary import cut_embeddings, cut_tokenizer

_CHECKED = 64  # texts on which a cut vocabulary must not change the logits
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Pruner:
    """Prunes a checkpoint. `texts` show which neurons matter; `vocabulary` has the ids that stay where it is cut."""

    checkpoint: Checkpoint
    texts: Sequence[str]
    vocabulary: Sequence[int]

    @cached_property
    def tokenizer(self) -> Any:
        """The checkpoint's tokenizer."""
        return load_tokenizer(str(self.checkpoint.path))

    @cached_property
    def full(self) -> ModelShape:
        """The shape of the checkpoint."""
        model = self._model
        rows = model.get_input_embeddings().num_embeddings
        return ModelShape(len(layers_of(model)), feed_forwards_of(model)[0][0].out_features, rows)

    @cached_property
    def _model(self) -> Any:
        return load_reference(self.checkpoint.path, attention=None)

    def f1_with_layers(self, sentences: Sequence[Sentence], kept: tuple[int, ...]) -> float:
        """The entity F1 of the checkpoint with only these layers, before any training."""
        with only_layers(self._model, kept):
            tags = tag(self._runnable(self._model, self.tokenizer), sentences)
        gold = [sentence.tags() for sentence in sentences]
        return entity_scores(gold, tags, self.checkpoint.label_set.scheme).micro.f1

    def write(self, shape: ModelShape, layers: Sequence[int], folder: Path, weighed: bool = True) -> None:
        """Write the checkpoint of a shape with these layers; neurons not `weighed` are the first, for speed alone.

        Raises ExportError where a cut vocabulary changes the logits of the texts that it was made for.
        """
        model, tokenizer = load_reference(self.checkpoint.path, attention=None), self.tokenizer
        keep_layers(model, layers)
        if shape.feed_forward != self.full.feed_forward:
            keep_neurons(model, shape.feed_forward, neuron_importances(model, self._inputs(model) if weighed else ()))
        if shape.vocabulary != self.full.vocabulary:
            tokenizer = self._cut_vocabulary(model)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if record := self.checkpoint.record:
            (folder / RECORD).write_text(to_json(replace(record, scores={})), encoding="utf-8")

    def _cut_vocabulary(self, model: Any) -> Any:
        import numpy as np

        cut, texts = cut_tokenizer(self.tokenizer, self.vocabulary), list(self.texts[:_CHECKED])
        before = list(self._runnable(model, self.tokenizer).logits(texts))
        cut_embeddings(model, self.vocabulary)
        after = list(self._runnable(model, cut).logits(texts))
        for text, old, new in zip(texts, before, after, strict=True):
            same_split = np.array_equal(old.offsets, new.offsets)
            if not same_split or not np.allclose(old.logits, new.logits, atol=_TOLERANCE):
                raise ExportError(
                    f"the vocabulary of {self.checkpoint.path} cannot be cut: {text[:60]!r} would get other "
                    f"{'logits' if same_split else 'subwords'}, though all its subwords stay",
                    "Its tokenizer does more than WordPiece: give a target of time alone (--target-ms).",
                )
        return cut

    def _inputs(self, model: Any) -> Iterator[dict[str, Any]]:
        import torch

        runnable = self._runnable(model, self.tokenizer)
        for text in filter(str.strip, self.texts):
            yield {name: torch.from_numpy(ids) for name, ids in runnable.inputs([text]).items()}

    def _runnable(self, model: Any, tokenizer: Any) -> PyTorchModel:
        known = self.checkpoint
        types = "token_type_ids" in input_names(model)
        encoder = TextEncoder(tokenizer, known.max_length, known.stride, known.case_channel, types)
        return PyTorchModel(model, encoder, known.label_set)
