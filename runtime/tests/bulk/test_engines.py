"""Batches of other engines: one load per process, the same kind back, the reason of each row without entities."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgener_runtime import EdgenerError, TokenClassifier, UserInputError
from edgener_runtime.bulk import BatchTagger, engines, tag_batches
from edgener_runtime.bulk.shapes import SHAPES

LEAK = "Pump P-101 leaks at the seal"
NULL = "null in place of a text"


@pytest.fixture
def tagger(bundle: Path) -> BatchTagger:
    return BatchTagger(str(bundle), variant="fp32")


def expected(classifier: TokenClassifier) -> list[Any]:
    return [[vars(entity) for entity in classifier.predict(LEAK)], None, []]


def test_arrow_in_and_out(tagger: BatchTagger, classifier: TokenClassifier) -> None:
    pa = pytest.importorskip("pyarrow", reason="no pyarrow here: the extra bulk")
    batch = pa.record_batch({"id": [1, 2, 3], "text": [LEAK, None, ""]})
    found = pa.Table.from_batches(tag_batches(iter([batch, batch]), tagger))
    assert found.column_names == ["id", "text", "entities", "rejected"] and found.num_rows == 6
    assert found.column("entities").to_pylist() == expected(classifier) * 2
    assert found.column("rejected").to_pylist()[:3] == [None, NULL, None]
    with pytest.raises(UserInputError, match="is int64, expected strings"):
        tagger(pa.table({"text": [1]}))


def test_arrays_in_and_out(tagger: BatchTagger, classifier: TokenClassifier) -> None:
    texts = np.array([LEAK, None, ""], dtype=object)
    found = tagger({"id": np.arange(3), "text": texts})
    assert found["entities"].tolist() == expected(classifier) and found["id"].tolist() == [0, 1, 2]
    assert found["rejected"].tolist() == [None, NULL, None]


def test_one_row_per_entity(bundle: Path, classifier: TokenClassifier) -> None:
    pa = pytest.importorskip("pyarrow", reason="no pyarrow here: the extra bulk")
    tagger, entities = BatchTagger(str(bundle), variant="fp32", shape="rows"), classifier.predict(LEAK)
    columns = {"id": [7, 8], "text": [None, LEAK]}
    rows = tagger(pa.table(columns)).to_pylist()
    arrays = tagger({name: np.array(values, dtype=object) for name, values in columns.items()})
    assert [row["entity_text"] for row in rows] == [entity.text for entity in entities] and len(rows) > 1
    assert {(row["id"], row["text_row"], row["rejected"]) for row in rows} == {(8, 2, None)}
    assert all(arrays[name].tolist() == [row[name] for row in rows] for name in rows[0])


class _Frame(dict[str, Any]):
    """What of a pandas frame is used, where pandas is not at hand."""

    columns = property(lambda self: list(self))

    def take(self, indices: list[int]) -> _Frame:
        return _Frame({name: np.asarray(values, dtype=object)[indices] for name, values in self.items()})

    def assign(self, **columns: Any) -> _Frame:
        return _Frame({**self, **columns})


_Frame.__name__ = "DataFrame"


def test_a_frame_in_and_out(tagger: BatchTagger, classifier: TokenClassifier) -> None:
    found = next(tagger.map([_Frame(text=[LEAK, float("nan"), ""])]))
    assert found["entities"].tolist() == expected(classifier) and found["rejected"].tolist() == [None, NULL, None]


def test_the_bundle_is_loaded_once_per_process(
    tagger: BatchTagger, classifier: TokenClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Any] = []
    monkeypatch.setattr(engines, "_classifiers", {})
    monkeypatch.setattr(engines, "load_classifier", lambda spec: loads.append(spec) or classifier)
    copy = pickle.loads(pickle.dumps(tagger))
    for each in (tagger, copy, tagger):
        assert each.answers([LEAK]) == [classifier.predict(LEAK)]
    assert len(loads) == 1
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(EdgenerError, match="before the fork"):  # as it is the same one here
        tagger.answers([LEAK])
    assert len(loads) == 2, "a forked process has to load its own"


def test_an_empty_batch_loads_nothing() -> None:
    assert BatchTagger("no such bundle")({"text": np.array([], dtype=object)})["entities"].tolist() == []


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"note": ["a"]}, "the batch has no column 'text'; its columns are note"),
        ({"text": ["a"], "rejected": ["b"]}, "has a column 'rejected' already"),
        ([{"text": "a"}], r"a batch is builtins\.list, expected a pyarrow table"),
        ("text", r"builtins\.str"),
    ],
)
def test_what_is_not_a_batch_of_texts_is_refused(batch: Any, message: str, tagger: BatchTagger) -> None:
    with pytest.raises(UserInputError, match=message):
        tagger(batch)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_a_declaration(shape: str) -> None:
    ddl = BatchTagger("bundle", shape=shape).ddl
    assert all(f"{column.name} " in ddl for column in SHAPES[shape].columns) and ddl.endswith(", rejected string")
