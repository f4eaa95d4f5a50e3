"""What teachers predict for each word: soft labels and hidden states, computed once before training and stored."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from edgener.checkpoint import Checkpoint, TeacherRecord, open_checkpoint, weight_files
from edgener.data.align import first_subwords
from edgener.data.types import Dataset, Sentence
from edgener.labels import decided
from edgener.parity.measures.tagging import tag
from edgener.parity.reference import PyTorchModel
from edgener.progress import tracked
from edgener_exporters.checkpoint.adapter import base_folder
from edgener_exporters.checkpoint.load import load_config
from edgener_runtime.base.files import sha256_of, storage_errors
from edgener_runtime.base.partial import locked, partial
from edgener_runtime.decoding.decode import softmax
from edgener_runtime.decoding.schemes import DEFAULT
from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Halves = NDArray[np.float16]

_ENOUGH_TO_DECIDE = 256  # sentences
_SENTENCES_AT_ONCE = 64
_PAUSE = 0.5  # seconds, while another process computes


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A checkpoint to learn from, with its record for the student's edgener.json."""

    checkpoint: Checkpoint
    record: TeacherRecord


def open_teachers(paths: Sequence[str], types: Sequence[str], train: Dataset) -> tuple[Teacher, ...]:
    """Teachers of these types of entities. Raises UserInputError where one has other types, or another scheme."""
    return tuple(_open(Path(path), set(types), train) for path in paths)


def _open(path: Path, types: set[str], train: Dataset) -> Teacher:
    checkpoint = open_checkpoint(path)
    found = checkpoint.label_set
    missing, more = sorted(types - {*found.types}), sorted({*found.types} - types)
    if missing or more:
        parts = [f"{word} {', '.join(names)}" for word, names in (("without", missing), ("also", more)) if names]
        raise UserInputError(
            f"the teacher {path} has other types of entities than {train.source} ({train.split}): {'; '.join(parts)}",
            "Train the teacher on this data, or rename labels of the data: --map-labels OLD=NEW",
        )
    if checkpoint.undecided:
        sentences = train.sentences[:_ENOUGH_TO_DECIDE]
        found = decided(found, tag(PyTorchModel.open(checkpoint, attention=None), sentences))
    if found.scheme != DEFAULT:
        raise UserInputError(
            f"the teacher {path} has labels in the scheme {found.scheme}; what edgener trains has {DEFAULT}",
            "Name a teacher with labels in IOB2: B-PER begins an entity, I-PER continues it.",
        )
    return Teacher(checkpoint, _record(checkpoint.path))


def _record(path: Path) -> TeacherRecord:
    folders = [folder for folder in (path, base_folder(path)) if folder]
    files = [file for folder in folders for file in weight_files(folder)]
    return TeacherRecord(path.resolve().name, {file.name: sha256_of(file) for file in files})


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What teachers are run on and for: sentences, the student's labels and number of layers (0: no hidden states).

    `temperature` divides the logits before the softmax; `device` is cpu or cuda.
    """

    sentences: Sequence[Sentence]
    labels: Sequence[str]
    temperature: float
    device: str
    layers: int = 0


@dataclasses.dataclass(frozen=True)
class TeacherOutputs:
    """Per word the mean probabilities (words, labels), zero where no teacher has a subword for the word.

    `hidden` has for each layer of the student the hidden state of a teacher's layer (words, layers, width), or is None.
    """

    soft: Halves
    hidden: Halves | None


def layer_map(layers: int, of_teacher: int) -> tuple[int, ...]:
    """For each layer of the student the teacher's, counted from 1: evenly spaced, the last to the last."""
    return tuple(-(-layer * of_teacher // layers) for layer in range(1, layers + 1))


def teacher_outputs(teachers: Sequence[Teacher], lesson: Lesson, work: Path) -> TeacherOutputs:
    """The outputs of teachers, from a file in `work` where an interrupted run of the same lesson left it.

    Of several processes one computes, and the others wait. Raises UserInputError, StorageError.
    """
    import numpy as np

    file = work / f"teacher-{_identity(teachers, lesson)[:16]}.npy"
    with storage_errors(file):
        work.mkdir(parents=True, exist_ok=True)
    _once(file, lambda: _compute(teachers, lesson, file))
    table, count = np.load(file, mmap_mode="r"), len(lesson.labels)
    hidden = table[:, count:].reshape(len(table), lesson.layers, -1) if lesson.layers else None
    return TeacherOutputs(table[:, :count], hidden)


def _identity(teachers: Sequence[Teacher], lesson: Lesson) -> str:
    weights = [each.record.weights for each in teachers]
    texts = Dataset("", "", tuple(lesson.sentences), "").sha256
    settings = [weights, texts, lesson.labels, lesson.temperature, lesson.layers]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()


def _once(file: Path, compute: Callable[[], None]) -> None:
    """Compute a file that is missing, unless another process does: then wait for it."""
    while not file.exists():
        with locked(file.parent) as is_mine:
            if is_mine is not False and not file.exists():
                compute()
        if is_mine is False:
            time.sleep(_PAUSE)


def _compute(teachers: Sequence[Teacher], lesson: Lesson, file: Path) -> None:
    """Write the table (words, labels and hidden states) in float16 part by part, so that memory is bounded."""
    import numpy as np
    from numpy.lib.format import dtype_to_descr, write_array_header_1_0

    models = [TeacherModel.load(each.checkpoint, lesson) for each in teachers]
    words = sum(len(sentence.offsets) for sentence in lesson.sentences)
    shape = (words, len(lesson.labels) + models[0].hidden_width)
    header = {"descr": dtype_to_descr(np.dtype(np.float16)), "fortran_order": False, "shape": shape}
    with storage_errors(file), partial(file, Path.touch) as temporary, tracked() as track:
        step = track("teacher", len(lesson.sentences))
        # written and not mapped: a full disk is an error here, where a mapped file would end the process (SIGBUS)
        with temporary.open("wb") as table:
            write_array_header_1_0(table, header)
            for outputs in _outputs(models, lesson.sentences):
                table.write(outputs.tobytes())
                step()
        temporary.replace(file)


def _outputs(models: Sequence[TeacherModel], sentences: Sequence[Sentence]) -> Iterator[Halves]:
    """The outputs of each sentence's words (words, values): the mean of the models that have a subword for a word."""
    import numpy as np

    remaining = iter(sentences)
    while part := list(islice(remaining, _SENTENCES_AT_ONCE)):
        for found in zip(*(model.words(part) for model in models), strict=True):
            known = sum(each.any(axis=-1, keepdims=True) for each in found)
            with np.errstate(over="ignore"):
                mean = (sum(found) / np.maximum(known, 1)).astype(np.float16)
            if not np.isfinite(mean).all():
                raise UserInputError(
                    "the teacher's outputs are not finite in 16 bits",
                    "Name another teacher, or leave out hidden_share.",
                )
            yield mean


class TeacherModel(PyTorchModel):
    """A teacher for a lesson: its `run` gives logits and, behind them, the hidden states of chosen layers."""

    lesson: Lesson
    layers: tuple[int, ...] = ()
    hidden_width: int = 0

    @classmethod
    def load(cls, checkpoint: Checkpoint, lesson: Lesson) -> TeacherModel:
        """A checkpoint on the lesson's device, with the layers that the student's layers map to."""
        found = cls.open(checkpoint, attention=None)
        found.run_on(lesson.device)
        found.lesson = lesson
        if lesson.layers:
            config = load_config(checkpoint.path)
            found.layers = layer_map(lesson.layers, config.num_hidden_layers)
            found.hidden_width = len(found.layers) * config.hidden_size
        return found

    @property
    def width(self) -> int:
        """The number of values per subword that `run` gives."""
        return super().width + self.hidden_width

    def run(self, inputs: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """Logits and hidden states (rows, subwords, values) for its own inputs, each (rows, subwords)."""
        import torch

        outputs = self._forward(inputs, **({"output_hidden_states": True} if self.layers else {}))
        states = [outputs.hidden_states[layer] for layer in self.layers]
        found: NDArray[np.float32] = torch.cat([outputs.logits, *states], dim=-1).float().cpu().numpy()
        return found

    def words(self, sentences: Sequence[Sentence]) -> Iterator[NDArray[np.float32]]:
        """For each sentence soft labels and hidden states of its words (words, values), zero without a subword."""
        import numpy as np

        mapping = self._label_mapping()
        for sentence, scored in zip(sentences, self.logits(each.text for each in sentences), strict=True):
            offsets = [(start, end) for start, end in scored.offsets.tolist()]
            first = np.array(first_subwords(sentence.offsets, offsets, sentence.text), dtype=np.int64)
            soft = softmax(scored.logits[:, : len(mapping)], self.lesson.temperature) @ mapping
            values = np.concatenate([soft, scored.logits[:, len(mapping) :]], axis=1)
            found = np.zeros((len(first), values.shape[1]), dtype=np.float32)
            found[first >= 0] = values[first[first >= 0]]
            yield found

    def _label_mapping(self) -> NDArray[np.float32]:
        """A 1 for each label of the teacher (rows) at the student's label with its tag (columns)."""
        import numpy as np

        tags = [self.lesson.labels.index(own) for own in self.label_set.tags]
        return np.eye(len(self.lesson.labels), dtype=np.float32)[tags]
