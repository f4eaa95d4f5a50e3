"""Tagging on other engines: one class for Ray Data, Spark, Daft and Dask, and a generator of Arrow batches."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgener_runtime.errors import UserInputError

from .answers import Rejection, TextAnswer
from .arrow import check_text_type, load_pyarrow, raw_texts, with_answers
from .shapes import SHAPES, Cells, Shape, check_columns
from .spec import TagSpec
from .worker import answer_with, load_classifier

if TYPE_CHECKING:
    import pyarrow as pa

    from edgener_runtime.pipeline import TokenClassifier

REASON = "rejected"
"""The column with the reason why a row has no entities; null where it has."""

_classifiers: dict[tuple[int, str], TokenClassifier] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class BatchTagger(TagSpec):
    """Adds the entities of texts to a batch: a pyarrow table or record batch, a pandas frame, or a mapping of arrays.

    The bundle is loaded at the first text, once per process, however many copies of the object an engine makes. The
    columns are those of `edgener-runtime tag` with this `shape`, and "rejected": why a row has no entities, or null.
    Raises UserInputError for a batch without the column, and the errors of `TokenClassifier.load`.
    """

    @property
    def ddl(self) -> str:
        """The added columns as Spark declares them."""
        return f"{SHAPES[self.shape].ddl}, {REASON} string"

    def __call__(self, batch: Any) -> Any:
        """The batch with the added columns, of the same kind."""
        return _kind_of(batch)(self, batch)

    def map(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Each of the batches with the added columns, as Spark's `mapInPandas` and `mapInArrow` call it."""
        return (self(batch) for batch in batches)

    def answers(self, values: Sequence[object]) -> list[TextAnswer]:
        """The entities of each value, or why it is rejected."""
        return answer_with(_classifier(self), self, values) if values else []


def tag_batches(batches: Iterable[pa.RecordBatch], tagger: BatchTagger) -> Iterator[pa.RecordBatch]:
    """Record batches with the added columns, each as soon as it is tagged; one is held at a time."""
    for batch in batches:
        yield from tagger(batch).to_batches()


def _classifier(spec: TagSpec) -> TokenClassifier:
    """The classifier of this process; a forked process loads its own."""
    key = (os.getpid(), repr(spec))
    with _lock:
        if key not in _classifiers:
            _classifiers[key] = load_classifier(spec)
        return _classifiers[key]


def _kind_of(batch: Any) -> Callable[[BatchTagger, Any], Any]:
    """How a batch of this kind is tagged, by the name of its class: no library is imported to look."""
    name = type(batch).__name__
    if name in _KINDS:
        return _KINDS[name]
    if isinstance(batch, Mapping):
        return _tag_arrays
    raise UserInputError(
        f"a batch is {type(batch).__module__}.{name}, expected a pyarrow table, a pandas frame or a mapping of arrays",
        'Set the batch format, such as batch_format="pyarrow".',
    )


def _tag_arrow(tagger: BatchTagger, batch: Any) -> Any:
    pa, shape = load_pyarrow(), SHAPES[tagger.shape]
    table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
    column = _check(table.schema.names, tagger, shape)
    check_text_type(table.schema.field(column), "the batch")
    texts = raw_texts(table.column(column))
    answers = tagger.answers(texts)
    reasons = pa.array([_reason(answer) for answer in answers], pa.string())
    found = with_answers(table.append_column(REASON, reasons), texts, answers, shape)
    return found.select([*(name for name in found.column_names if name != REASON), REASON])


def _tag_pandas(tagger: BatchTagger, frame: Any) -> Any:
    _check([str(name) for name in frame.columns], tagger, SHAPES[tagger.shape])
    indices, added = _added(tagger, list(frame[tagger.text_column]))
    return frame.take(indices).assign(**{name: _objects(values) for name, values in added.items()})


def _tag_arrays(tagger: BatchTagger, arrays: Mapping[str, Any]) -> dict[str, Any]:
    _check(list(arrays), tagger, SHAPES[tagger.shape])
    indices, added = _added(tagger, list(arrays[tagger.text_column]))
    kept = {name: _objects(values)[indices] for name, values in arrays.items()}
    return kept | {name: _objects(values) for name, values in added.items()}


def _objects(values: Any) -> Any:
    """An array as it is, and a list as an array of objects, whatever the objects are."""
    import numpy as np

    if not isinstance(values, list):
        return np.asarray(values)
    array = np.empty(len(values), dtype=object)
    for number, value in enumerate(values):
        array[number] = value
    return array


def _added(tagger: BatchTagger, values: Sequence[object]) -> tuple[list[int], dict[str, list[Any]]]:
    """The numbers of the rows that the result has, and the added columns."""
    shape, indices, rows = SHAPES[tagger.shape], [], []
    for number, (value, answer) in enumerate(zip(values, tagger.answers(values), strict=True)):
        for cells in _cells(number, value, answer, shape):
            indices.append(number)
            rows.append((*cells, _reason(answer)))
    names = [*(column.name for column in shape.columns), REASON]
    return indices, {name: [row[at] for row in rows] for at, name in enumerate(names)}


def _cells(number: int, value: object, answer: TextAnswer, shape: Shape) -> Sequence[Cells]:
    if isinstance(answer, Rejection):
        return shape.rejected
    return shape.rows(number + 1, value.decode("utf-8") if isinstance(value, bytes) else str(value), answer)


def _reason(answer: TextAnswer) -> str | None:
    return answer.reason if isinstance(answer, Rejection) else None


def _check(names: Sequence[str], tagger: BatchTagger, shape: Shape) -> int:
    if REASON in names:
        raise UserInputError(f"the batch has a column {REASON!r} already", "Rename or drop that column first.")
    return check_columns(names, tagger.text_column, shape, "the batch")


_KINDS: dict[str, Callable[[BatchTagger, Any], Any]] = {
    "Table": _tag_arrow, "RecordBatch": _tag_arrow, "DataFrame": _tag_pandas,
}  # fmt: skip
