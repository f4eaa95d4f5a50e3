"""Distillation: the loss of a model against the outputs of teachers, word by word (Hinton et al., 2015)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from edgener.data.types import Sentence
from edgener.encoding import TextEncoder

from .config import TrainConfig
from .features import IGNORED, Features, build_features
from .teacher import Lesson, Teacher, TeacherOutputs, teacher_outputs

_FITTED_WORDS = 8192
_RIDGE = 1e-3

Pad = Callable[[list[dict[str, Any]]], dict[str, Any]]
"""Padded tensors from rows of features."""


class Distillation:
    """Rows to train on, whose words have numbers, and the loss against what teachers predict for these words."""

    def __init__(self, features: Features, outputs: TeacherOutputs, config: TrainConfig) -> None:
        self.features = features
        self.config = config
        self._outputs = outputs
        self._projections: list[Any] = []

    def collate(self, rows: list[dict[str, Any]], pad: Pad) -> dict[str, Any]:
        """A padded batch. In training it has `soft` (rows, subwords, labels) and `hidden` (.., layers, width) too."""
        import torch

        if "words" not in rows[0]:
            return pad(rows)
        plain = [{name: value for name, value in row.items() if name != "words"} for row in rows]
        words = pad([own | {"labels": row["words"]} for own, row in zip(plain, rows, strict=True)])["labels"]
        batch, known = pad(plain), words >= 0
        for name, table in (("soft", self._outputs.soft), ("hidden", self._outputs.hidden)):
            if table is not None:
                batch[name] = torch.zeros(*words.shape, *table.shape[1:], dtype=torch.float16)
                batch[name][known] = torch.from_numpy(table[words[known].numpy()])
        return batch

    def loss(self, model: Any, batch: dict[str, Any]) -> Any:
        """The loss against labels and soft labels, a mean over words, and the one against hidden states."""
        import torch
        from torch.nn.functional import cross_entropy, kl_div

        outputs = _forward(model, batch)
        logits, labels, is_taught = outputs.logits.float(), batch["labels"], _taught(batch)
        hard = cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum")
        share, temperature = self.config.soft_share, self.config.temperature
        expected = batch["soft"][is_taught].float()
        found = torch.log_softmax(logits[is_taught] / temperature, dim=-1)
        soft = kl_div(found, expected / expected.sum(-1, keepdim=True), reduction="sum") * temperature**2
        words = (is_taught | (labels != IGNORED)).sum().clamp(min=1)
        return ((1 - share) * hard + share * soft) / words + self.config.hidden_share * self._hidden(batch, outputs)

    def _hidden(self, batch: dict[str, Any], outputs: Any) -> Any:
        """The mean squared distance from the teacher's hidden states; 0 where none are asked for."""
        total = count = 0
        for number, (own, expected) in enumerate(_layers(batch, outputs)):
            projected = own @ self._projections[number].to(own.device) if self._projections else own
            total = total + (projected - expected).square().sum()
            count += expected.numel()
        return total / max(count, 1)

    def fit_projections(self, model: Any, pad: Pad) -> None:
        """Where widths differ, fit a linear map from each layer's hidden states to the teacher's by least squares.

        `model` is the one before training. The maps stay as they are and are not part of the checkpoint.
        """
        import torch

        hidden = self._outputs.hidden
        if hidden is None or hidden.shape[-1] == model.config.hidden_size:
            return
        model.eval()
        pairs: list[list[Any]] = [[] for _ in range(hidden.shape[1])]
        with torch.no_grad():
            for batch in self._some_batches(pad):
                batch = {name: value.to(model.device) for name, value in batch.items()}
                for pair, own in zip(pairs, _layers(batch, _forward(model, batch)), strict=True):
                    pair.append(own)
            self._projections = [_least_squares(*map(torch.cat, zip(*pair, strict=True))) for pair in pairs]

    def _some_batches(self, pad: Pad) -> Iterator[dict[str, Any]]:
        """Batches of the first rows, until they have enough words."""
        rows, size, words = self.features.rows, self.config.batch_size, 0
        for at in range(0, len(rows), size):
            batch = self.collate(rows[at : at + size], pad)
            yield batch
            words += int(_taught(batch).sum())
            if words >= _FITTED_WORDS:
                return


def _taught(batch: dict[str, Any]) -> Any:
    """Whether a subword is the first of a word that teachers have an answer for (rows, subwords)."""
    return (batch["soft"] > 0).any(-1)


def _forward(model: Any, batch: dict[str, Any]) -> Any:
    """The outputs of a model without its own loss."""
    inputs = {name: value for name, value in batch.items() if name not in ("labels", "soft", "hidden")}
    return model(**inputs, **({"output_hidden_states": True} if "hidden" in batch else {}))


def _layers(batch: dict[str, Any], outputs: Any) -> Iterator[tuple[Any, Any]]:
    """For each layer the hidden states of the words that are taught (words, width), the model's and the teacher's."""
    if "hidden" not in batch:
        return
    is_taught = _taught(batch)
    expected = batch["hidden"][is_taught].float()
    for layer, own in enumerate(outputs.hidden_states[1:]):
        yield own[is_taught].float(), expected[:, layer]


def _least_squares(own: Any, expected: Any) -> Any:
    """The map (width, width of the teacher) with the least squared error; the ridge keeps it finite for few words."""
    import torch

    square = own.T @ own
    ridge = _RIDGE * square.diagonal().mean() * torch.eye(len(square), device=own.device)
    return torch.linalg.solve(square + ridge, own.T @ expected)


def prepare_distillation(
    teachers: Sequence[Teacher], config: TrainConfig, encoder: TextEncoder, sentences: Sequence[Sentence],
    unlabelled: Sequence[Sentence], labels: Sequence[str], layers: int, device: str, work: Path,
) -> Distillation:  # fmt: skip
    """Run teachers on labelled and unlabelled sentences, and build the rows to train on.

    `layers` is the number of the student's layers; `work` keeps the outputs for a run that is resumed. Raises
    UserInputError, StorageError.
    """
    every = (*sentences, *unlabelled)
    features = build_features(encoder, every, labels, config.label_all_subwords, words=True)
    for row, number in zip(features.rows, features.sentences, strict=True):
        if number >= len(sentences):
            row["labels"] = [IGNORED] * len(row["labels"])
    lesson = Lesson(every, labels, config.temperature, device, layers if config.hidden_share else 0)
    return Distillation(features, teacher_outputs(teachers, lesson, work), config)
