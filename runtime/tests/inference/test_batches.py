"""Windows of near lengths run together, padded to the longest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime.bundle.manifest import Manifest, TokenizerSettings
from edgener_runtime.inference.batches import WindowRow, batches, feeds, rows_of
from edgener_runtime.text.tokenize import TextTokenizer
from edgener_runtime.text.windows import Window

SETTINGS = TokenizerSettings("tokenizer.json", 64, 16, 7, ("input_ids", "attention_mask", "token_type_ids"))


def row(text: int, length: int) -> WindowRow:
    return WindowRow(text, Window(0, length, 0, length), [9] * length, [1] * length)


@given(st.lists(st.integers(1, 600), max_size=60))
def test_every_window_runs_once_beside_others_near_its_length(lengths: list[int]) -> None:
    rows = [row(text, length) for text, length in enumerate(lengths)]
    together = list(batches(rows))
    assert sorted(row.text for batch in together for row in batch) == list(range(len(rows)))
    assert [len(row.ids) for batch in together for row in batch] == sorted(lengths)
    for batch in together:
        assert batch
        assert len(batch) == 1 or len(batch) * max(len(row.ids) for row in batch) <= 1024


def test_texts_have_their_windows_and_those_without_subwords_none(bundle: Path, manifest: Manifest) -> None:
    tokenizer = TextTokenizer(bundle / "tokenizer.json", manifest.tokenizer)
    rows = rows_of(tokenizer, tokenizer.encode(["oil", "", "泵" * 63, "  "]))
    assert [(row.text, row.window.start, row.window.end) for row in rows] == [(0, 0, 1), (2, 0, 62), (2, 1, 63)]


def test_short_rows_are_padded_and_masked() -> None:
    arrays = feeds([row(0, 3), row(1, 1)], SETTINGS)
    assert {name: array.tolist() for name, array in arrays.items()} == {
        "input_ids": [[9, 9, 9], [9, 7, 7]],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
        "token_type_ids": [[1, 1, 1], [1, 0, 0]],
    }
    assert {array.dtype.name for array in arrays.values()} == {"int64"}


@pytest.mark.parametrize("inputs", [("input_ids", "attention_mask"), ("attention_mask", "input_ids")])
def test_a_graph_gets_the_inputs_it_takes(inputs: tuple[str, ...]) -> None:
    assert tuple(feeds([row(0, 2)], TokenizerSettings("tokenizer.json", 64, 16, 0, inputs))) == inputs


def test_more_padding_is_added_as_far_as_the_model_has_positions() -> None:
    assert feeds([row(0, 3), row(1, 1)], SETTINGS, padding=5)["input_ids"].shape == (2, 8)
    assert feeds([row(0, 3)], SETTINGS, padding=10_000)["attention_mask"].shape == (1, SETTINGS.max_length)
