"""Offsets in bytes and in UTF-16 units."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime.decoding.offsets import OFFSETS, in_units

TEXT = "Pumpe 泵 🔧 läuft"


def test_a_span_s_units_cut_the_same_out_of_the_encoded_text() -> None:
    spans = [(6, 7), (8, 9), (10, 15)]
    bytes_, units = TEXT.encode(), TEXT.encode("utf-16-le")
    assert [bytes_[start:end].decode() for start, end in in_units(spans, TEXT, "utf8")] == ["泵", "🔧", "läuft"]
    found = [units[2 * start : 2 * end].decode("utf-16-le") for start, end in in_units(spans, TEXT, "utf16")]
    assert found == ["泵", "🔧", "läuft"]
    assert list(in_units(spans, TEXT, "characters")) == spans


@pytest.mark.parametrize("offsets", OFFSETS)
@given(text=st.text(st.characters(), max_size=30), data=st.data())
def test_spans_of_any_text_keep_their_order_and_length(offsets: str, text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    spans = list(pairwise(cuts))
    found = list(in_units(spans, text, offsets))
    width = {"characters": 1, "utf8": 4, "utf16": 2}[offsets]
    for (start, end), (first, past) in zip(spans, found, strict=True):
        assert start <= first <= width * start and end - start <= past - first <= width * (end - start)


def test_spans_that_overlap_are_counted_from_the_text_s_start() -> None:
    assert list(in_units([(0, 3), (1, 2), (1, 3)], "泵泵泵", "utf8")) == [(0, 9), (3, 6), (3, 9)]


def test_half_a_character_is_three_bytes_and_one_unit() -> None:
    assert list(in_units([(1, 2)], "\ud83dx", "utf8")) == [(3, 4)]
    assert list(in_units([(1, 2)], "\ud83dx", "utf16")) == [(1, 2)]
