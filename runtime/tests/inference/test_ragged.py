"""Ragged batches: what a graph over them is fed, and that every text has its own logits again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime import TokenClassifier
from edgener_runtime.backends.base import BatchShapes
from edgener_runtime.bundle.graph import IDS, MASK, OFFSETS, POSITIONS, TYPES
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.inference.batches import WindowRow, batches, feeds
from edgener_runtime.inference.ragged import by_sequence, numbered, padded, ragged_feeds, unpadded
from edgener_runtime.text.windows import Window

pytestmark = pytest.mark.compat

PAD = 1
SEQUENCES = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=7), min_size=1, max_size=5)


@given(SEQUENCES)
def test_sequences_lie_end_to_end(ids: list[list[int]]) -> None:
    types = [[each % 2 for each in row] for row in ids]
    fed = ragged_feeds(ids, types, None)
    assert fed[IDS].tolist() == [*chain(*ids)] and fed[TYPES].tolist() == [*chain(*types)]
    assert fed[POSITIONS].tolist() == [*chain(*(range(len(row)) for row in ids))]
    assert [*np.diff(fed[OFFSETS])] == [len(row) for row in ids] and fed[OFFSETS][0] == 0
    assert all(array.dtype == np.int64 for array in fed.values())
    assert next(iter(fed)) == IDS  # its size is what a run costs
    assert [found.tolist() for found in by_sequence(fed[IDS], map(len, ids))] == ids


def test_without_types_there_are_none() -> None:
    assert TYPES not in ragged_feeds([[5, 6]], None, None)


@given(SEQUENCES)
def test_the_padding_s_own_subword_in_a_text_is_not_counted(ids: list[list[int]]) -> None:
    """As RoBERTa does, where a text contains <pad>."""
    expected = []
    for row in ids:
        count = 0
        for each in row:
            expected.append(-1 if each == PAD else count)
            count += each != PAD
    assert ragged_feeds(ids, None, PAD)[POSITIONS].tolist() == expected


@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=4))
def test_a_padded_batch_loses_what_is_masked_and_gets_its_shape_back(seen: list[list[bool]]) -> None:
    mask = np.array(seen, dtype=np.int64)
    ids = np.arange(10, 10 + mask.size).reshape(mask.shape)
    fed = unpadded({IDS: ids, MASK: mask, TYPES: ids % 2}, None)
    assert fed[IDS].tolist() == ids[mask == 1].tolist() and fed[TYPES].tolist() == (fed[IDS] % 2).tolist()
    assert fed[POSITIONS].tolist() == ((fed[IDS] - 10) % 6).tolist()  # of the column, as in the padded graph
    assert [*np.diff(fed[OFFSETS])] == mask.sum(axis=1).tolist()
    logits = fed[IDS][:, None].astype(np.float32)
    np.testing.assert_array_equal(padded(logits, mask)[..., 0], ids * mask)


def test_positions_of_a_left_padded_batch_begin_at_its_first_subword_where_padding_is_not_counted() -> None:
    ids = np.array([[PAD, PAD, 7, 8], [5, 6, 7, 8]])
    fed = unpadded({IDS: ids, MASK: (ids != PAD).astype(np.int64)}, PAD)
    assert fed[POSITIONS].tolist() == [0, 1, 0, 1, 2, 3]
    assert numbered(ids, PAD).tolist() == [[-1, -1, 0, 1], [0, 1, 2, 3]]


def row(subwords: int) -> WindowRow:
    return WindowRow(0, Window(0, subwords, 0, subwords), list(range(subwords)), [0] * subwords)


@given(st.lists(st.integers(1, 40), max_size=30))
def test_ragged_batches_keep_the_order_and_are_as_full_as_they_may_be(lengths: list[int]) -> None:
    found = list(batches(map(row, lengths), 32, BatchShapes(ragged=True)))
    assert [len(each.ids) for batch in found for each in batch] == lengths
    sizes = [sum(len(each.ids) for each in batch) for batch in found]
    assert all(size <= 32 or len(batch) == 1 for size, batch in zip(sizes, found, strict=True))
    assert all(size + len(after[0].ids) > 32 for size, after in zip(sizes, found[1:], strict=False))


class PaddedInside:
    """A session over ragged batches, of a padded one: each sequence runs alone."""

    provider = library = "a stub"
    notes = ()

    def __init__(self, session: Any, unnumbered: int | None = None) -> None:
        self.session = session
        self.shapes = BatchShapes(ragged=True, unnumbered=unnumbered)
        self.rows: list[int] = []

    def run(self, fed: dict[str, Any]) -> Any:
        assert MASK not in fed
        found = []
        for start, end in zip(fed[OFFSETS], fed[OFFSETS][1:], strict=False):
            alone = {name: fed[name][None, start:end] for name in (IDS, TYPES) if name in fed}
            assert fed[POSITIONS][start:end].tolist() == list(range(end - start))
            found.append(self.session.run(alone | {MASK: np.ones_like(alone[IDS])})[0])
        self.rows.append(len(found))
        return np.concatenate(found)

    def close(self) -> None:
        self.session.close()


@pytest.fixture
def ragged(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenClassifier]:
    from edgener_runtime.backends.open import open_session

    opened = lambda model, device, tuning: PaddedInside(open_session(model, device, tuning))  # noqa: E731
    monkeypatch.setattr("edgener_runtime.inference.engine.open_session", opened)
    with TokenClassifier.load(bundle, "cpu", "fp32", 1) as loaded:
        yield loaded


TEXTS = [
    "oil leak at the seal",
    "",
    "Bearing of pump P-101 worn, replaced. " * 40,
    "P-101",
    "泵 P-101 漏油",
    "oil leak",
]


def test_ragged_batches_give_each_text_the_answer_of_padded_ones(
    ragged: TokenClassifier, classifier: TokenClassifier
) -> None:
    for found, expected in zip(ragged.logits(TEXTS), classifier.logits(TEXTS), strict=True):
        assert found.input_ids.tolist() == expected.input_ids.tolist()
        np.testing.assert_allclose(found.logits, expected.logits, atol=1e-4)
    assert max(ragged.engine.session.rows) > 1  # type: ignore[attr-defined]
    assert [entity.text for entity in ragged.predict(TEXTS[0])] == [
        entity.text for entity in classifier.predict(TEXTS[0])
    ]


def test_inputs_of_a_padded_batch_run_as_well(ragged: TokenClassifier, classifier: TokenClassifier) -> None:
    settings = classifier.manifest.tokenizer
    fed = feeds([row(9), row(4)], settings)
    found, expected = ragged.run(fed), classifier.run(fed)
    seen = fed[MASK] == 1
    np.testing.assert_allclose(found[seen], expected[seen], atol=1e-4)
    assert found.shape == expected.shape and not found[~seen].any()


def test_a_manifest_from_before_operators_has_none(bundle: Path) -> None:
    assert {entry.requirements.operators for entry in read_manifest(bundle).variants} == {0}
