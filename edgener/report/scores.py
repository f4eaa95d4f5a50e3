"""Scores of a checkpoint in PyTorch, or of a bundle through the runtime, on labelled text."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgener.checkpoint import DataRecord, data_record, open_checkpoint
from edgener.confidence.reliability import Reliability, fitted, reliability
from edgener.data.documents import document_windows, has_documents, join_sentences
from edgener.data.read import check_labels
from edgener.data.tags import tags_of
from edgener.data.types import Dataset
from edgener.labels import LabelChoice, name_of
from edgener.parity.measures.metrics import EntityScores, TagReport, entity_scores, tag_report
from edgener.parity.measures.tagging import Answers, answer, tag
from edgener.parity.reference import PyTorchModel, reference_answers
from edgener.threads import limit_pytorch
from edgener_exporters.checkpoint.adapter import ADAPTER
from edgener_runtime.base.files import write_atomic
from edgener_runtime.bundle.manifest import MANIFEST
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.errors import UserInputError
from edgener_runtime.pipeline import TokenClassifier

from .glyphs import key_of
from .plots import confusion, plot_confusion, plot_reliability, plot_training

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class DocumentScores:
    """Entity scores on documents, read in windows of consecutive sentences of at most 256 subwords."""

    windows: int
    entities: EntityScores


@dataclass(frozen=True)
class Evaluation:
    """The model, its labels, the data and the scores; `confusion` has a row per gold tag in the order of `tokens`.

    `reliability` says how far the scores of tokens and entities are from the share that is right. `documents` are the
    scores on documents, where the data marks them.
    """

    model: str
    runs: str
    labels: LabelSet
    data: DataRecord
    entities: EntityScores
    tokens: TagReport
    confusion: list[list[int]]
    reliability: Reliability
    documents: DocumentScores | None = None
    schema_version: int = SCHEMA_VERSION


def evaluate(
    path: Path,
    dataset: Dataset,
    variant: str = "auto",
    step: Callable[[], None] = lambda: None,
    threads: int | None = None,
    choice: LabelChoice | None = None,
    valid: Dataset | None = None,
) -> Evaluation:
    """Score a checkpoint (PyTorch, FP32) or a bundle's variant (edgener_runtime) on a data set.

    `threads` None leaves PyTorch the threads it has, and takes the runtime's default. `choice` is for the labels of a
    checkpoint. The temperature is the bundle's where it has one; otherwise it is fitted on `valid`.
    Raises UserInputError where `path` is neither, or the data has labels that the model does not know.
    """
    with _open(path, variant, threads, choice) as (model, runs):
        check_labels(model.label_set.types, dataset)
        if isinstance(model, PyTorchModel):
            found = reference_answers(model, dataset.sentences, step)
        else:
            found = answer(model, dataset.sentences, step)
        temperature, origin = _temperature(model, valid, found.label_set, step)
        documents = _documents(model, dataset, found, step) if has_documents(dataset.sentences) else None
    labels = found.label_set
    entities = entity_scores([sentence.tags() for sentence in dataset.sentences], found.tags, labels.scheme)
    gold = [tags_of(sentence.spans, len(sentence.offsets), labels.scheme) for sentence in dataset.sentences]
    tokens = tag_report(gold, found.tags)
    counts = confusion(gold, found.tags, list(tokens.tags))
    tokens = replace(tokens, tags={name_of(labels, tag): score for tag, score in tokens.tags.items()})
    scored = reliability(dataset.sentences, found, temperature, origin)
    return Evaluation(path.name, runs, labels, data_record(dataset), entities, tokens, counts, scored, documents)


def _documents(
    model: PyTorchModel | TokenClassifier, dataset: Dataset, found: Answers, step: Callable[[], None]
) -> DocumentScores:
    """The scores on the windows of documents; `found` are the answers on their sentences. Each sentence is a step."""
    windows = document_windows(dataset.sentences, [len(scored.input_ids) for scored in found.scored])
    texts, sizes = [join_sentences(window) for window in windows], iter(map(len, windows))

    def step_all() -> None:
        for _ in range(next(sizes)):
            step()

    gold = [text.tags() for text in texts]
    return DocumentScores(len(texts), entity_scores(gold, tag(model, texts, step_all), found.label_set.scheme))


def _temperature(
    model: PyTorchModel | TokenClassifier, valid: Dataset | None, labels: LabelSet, step: Callable[[], None]
) -> tuple[float | None, str]:
    """The temperature of a model's scores, and where it is from; None with the reason why there is none."""
    if isinstance(model, TokenClassifier) and model.manifest.scores:
        return model.manifest.scores.temperature, "of the bundle"
    if valid is None:
        return None, "the data has no labelled valid split to fit a temperature on"
    return fitted(valid, replace(answer(model, valid.sentences, step), label_set=labels))


def write_evaluation(evaluation: Evaluation, path: Path, folder: Path) -> list[Path]:
    """Write the scores as JSON, and as pictures the confusion matrix with its key, the reliability diagram, and a
    checkpoint's training curve."""
    folder.mkdir(parents=True, exist_ok=True)
    scores, matrix = folder / "evaluation.json", folder / "confusion.png"
    write_atomic(scores, to_json(evaluation))
    plot_confusion(evaluation.confusion, list(evaluation.tokens.tags), matrix)
    diagrams = [folder / f"reliability{suffix}" for suffix in (".png", ".svg")]
    plot_reliability(evaluation.reliability, *diagrams)
    written = [file for file in (scores, matrix, key_of(matrix), *diagrams) if file.exists()]
    metrics = path / "metrics.json"
    if not metrics.is_file():
        return written
    curve = folder / "training.png"
    plot_training(json.loads(metrics.read_text(encoding="utf-8"))["epochs"], curve)
    return [*written, curve]


def to_json(evaluation: Evaluation) -> str:
    """The evaluation as indented JSON."""
    return json.dumps(dataclasses.asdict(evaluation), indent=2) + "\n"


@contextmanager
def _open(
    path: Path, variant: str, threads: int | None, choice: LabelChoice | None
) -> Iterator[tuple[PyTorchModel | TokenClassifier, str]]:
    """The model, and the name of what runs it."""
    if (path / MANIFEST).is_file():
        if choice and choice != LabelChoice():
            raise UserInputError(
                f"{path} is a bundle, which has its labels and their scheme in {MANIFEST}",
                "Leave out --model-labels, --model-scheme and --outside-label.",
            )
        with TokenClassifier.load(path, "cpu", variant, threads) as classifier:
            yield classifier, f"{classifier.variant.name} on {classifier.provider}"
    elif (path / "config.json").is_file() or (path / ADAPTER).is_file():
        limit_pytorch(threads)
        with PyTorchModel.open(open_checkpoint(path, choice)) as model:
            yield model, "PyTorch"
    else:
        raise UserInputError(
            f"{path} is neither a checkpoint (config.json) nor a bundle ({MANIFEST})",
            "Make one with: edgener train, or edgener export",
        )


def rows(evaluation: Evaluation) -> Iterator[tuple[str, Any]]:
    """The rows of the table by token: one per tag, then the averages."""
    yield from evaluation.tokens.tags.items()
    yield from evaluation.tokens.averages.items()
