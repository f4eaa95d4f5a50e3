"""Checkpoints (a Hugging Face model folder plus `edgener.json`, its training record) and pretrained encoders."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgener.data.reasons import changed, left_out
from edgener.data.types import Dataset
from edgener.encoding import check_token_ids, load_tokenizer
from edgener_exporters.checkpoint.adapter import ADAPTER
from edgener_exporters.checkpoint.load import load_config, load_reference
from edgener_exporters.checkpoint.positions import longest_input
from edgener_runtime.base.serde import load_json
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.errors import UserInputError

from .labels import LabelChoice, label_set_of, names_of

RECORD = "edgener.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class DataRecord:
    """The split of the data that was used: its content hash, its size, and what was left out of it and changed."""

    source: str
    split: str
    sha256: str
    sentences: int
    entities: int
    left_out: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)


def data_record(dataset: Dataset) -> DataRecord:
    """The record of a split: the name of its source without the machine's folders, its hash and its sizes."""
    name = dataset.source if ":" in dataset.source else Path(dataset.source).name
    entities, counts = sum(dataset.entity_counts.values()), dataset.repairs
    return DataRecord(
        name, dataset.split, dataset.sha256, len(dataset.sentences), entities, left_out(counts), changed(counts)
    )


@dataclass(frozen=True)
class TeacherRecord:
    """A checkpoint that another one was distilled from: its folder's name, and the SHA-256 of each file of weights."""

    name: str
    weights: dict[str, str]


@dataclass(frozen=True)
class UpdateRecord:
    """How a checkpoint was updated: the SHA-256 of each file of weights of the one before, the labels that are new, the
    share of the replayed data, every part of the data by name, and the report of the gate by test set."""

    parent: dict[str, str]
    new_labels: tuple[str, ...]
    replay_share: float
    data: dict[str, DataRecord]
    gate: dict[str, Any]


@dataclass(frozen=True)
class TrainingRecord:
    """How a checkpoint was trained; `scores` as the training command wrote them.

    `data` is by role: train, valid, test, and unlabelled for the further texts of a distillation from `teachers`.
    `update` is there where it continues another checkpoint, `compression` where it was pruned from one: from which, and
    what was left.
    """

    edgener_version: str
    base_model: str
    case_channel: bool
    label_all_subwords: bool
    data: dict[str, DataRecord]
    hyper_parameters: dict[str, Any]
    versions: dict[str, str]
    scores: dict[str, Any] = field(default_factory=dict)
    teachers: tuple[TeacherRecord, ...] = ()
    schema_version: int = SCHEMA_VERSION
    update: UpdateRecord | None = None
    compression: dict[str, Any] | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A token-classification model folder whose weights are not loaded; `embeddings` are those of subword ids.

    `undecided`: its labels may be in IOB1 or IOB2, and its predictions must show which.
    """

    path: Path
    label_set: LabelSet
    max_length: int
    record: TrainingRecord | None
    undecided: bool = False
    embeddings: int | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels, by number."""
        return self.label_set.names

    @property
    def entity_labels(self) -> tuple[str, ...]:
        """The types of entities, sorted."""
        return self.label_set.types

    @property
    def stride(self) -> int:
        """The number of subwords that two windows of a long text share."""
        return self.max_length // 4

    @property
    def case_channel(self) -> bool:
        """Whether token_type_ids carry case classes (see edgener_runtime.text.casing)."""
        return self.record is not None and self.record.case_channel


def open_checkpoint(path: Path, choice: LabelChoice | None = None) -> Checkpoint:
    """Read a checkpoint folder and check it as a whole: labels, weights, tokenizer and the longest input.

    Its labels are those of `choice` where that names any. The weights are loaded for this and released. Raises
    UserInputError with the missing part where it is not a token-classification checkpoint, where its parts do not
    belong together, or where its record is damaged.
    """
    label_set, undecided = read_label_set(path, choice)
    record = load_json(TrainingRecord, path / RECORD) if (path / RECORD).is_file() else None
    longest, embeddings = _checked_sizes(path)
    unsure = undecided and record is None  # ours are in IOB2
    return Checkpoint(path, label_set, longest, record, unsure, embeddings)


def read_label_set(path: Path, choice: LabelChoice | None = None) -> tuple[LabelSet, bool]:
    """The label set of a checkpoint folder, and whether its predictions must decide its scheme; loads no weights.

    Raises UserInputError for labels that cannot be read, and where the folder has no weights.
    """
    config, choice = read_config(path), choice or LabelChoice()
    names = names_of(config, path / "config.json", choice)
    if not weight_files(path):
        raise UserInputError(f"{path} has no weights (*.safetensors or *.bin)", "Copy the whole checkpoint folder.")
    return label_set_of(names, path / "config.json", choice)


def weight_files(path: Path) -> list[Path]:
    """The files of weights of a checkpoint folder, by name."""
    return sorted([*path.glob("*.safetensors"), *path.glob("*.bin")])


def check_not_replaced(path: Path, out: Path) -> None:
    """Raises UserInputError where writing the folder `out` would replace the checkpoint at `path`."""
    if out.resolve() in (path.resolve(), *path.resolve().parents):
        raise UserInputError(f"--out {out} would replace the checkpoint {path}", "Name another --out.")


def _checked_sizes(path: Path) -> tuple[int, int]:
    """The longest input and the number of embeddings, after loading the tokenizer and the model."""
    tokenizer, model = load_tokenizer(str(path)), load_reference(path)
    return longest_input(model), check_token_ids(tokenizer, model, path)


def read_config(path: Path) -> dict[str, Any]:
    """config.json, or for an adapter the configuration of its base with the adapter's labels."""
    if (path / ADAPTER).is_file():
        settings: dict[str, Any] = json.loads(load_config(path).to_json_string(use_diff=False))
        return settings
    file = path / "config.json"
    if not file.is_file():
        raise UserInputError(f"{path} is not a checkpoint: it has no config.json", "Make one with: edgener train")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserInputError(f"{file} is damaged: {error}", "Copy the checkpoint again.") from None
    if not isinstance(config, dict):
        raise UserInputError(f"{file} is damaged: expected an object, found {type(config).__name__}")
    return config
