"""Nested spans keep the outermost, white space is trimmed, and whatever is dropped is counted."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.sentences import flatten, sentence_of_text
from edgener.data.types import Span

NESTED, OVERLAPPING = "nested entities dropped", "overlapping entities dropped"
SPANS = st.builds(
    lambda label, start, size: Span(label, start, start + size),
    st.sampled_from("XY"),
    st.integers(0, 12),
    st.integers(1, 6),
)


def span(text: str) -> Span:
    label, start, end = text.split()
    return Span(label, int(start), int(end))


@pytest.mark.parametrize(
    ("given_spans", "kept", "counts"),
    [
        (["A 1 2", "B 0 3"], ["B 0 3"], {NESTED: 1}),
        (["A 0 1", "B 0 3", "C 2 3", "D 1 2"], ["B 0 3"], {NESTED: 3}),
        (["A 0 9", "B 1 8", "C 2 7"], ["A 0 9"], {NESTED: 2}),
        (["A 0 2", "B 1 4"], ["A 0 2"], {OVERLAPPING: 1}),
        (["A 2 4", "B 0 2"], ["B 0 2", "A 2 4"], {}),
        (["A 0 2", "A 0 2"], ["A 0 2"], {}),
        (["B 0 2", "A 0 2"], ["B 0 2"], {NESTED: 1}),
        ([], [], {}),
    ],
)
def test_the_outermost_span_is_kept_and_the_rest_counted(
    given_spans: list[str], kept: list[str], counts: dict[str, int]
) -> None:
    found: Counter[str] = Counter()
    assert flatten(map(span, given_spans), found) == tuple(map(span, kept))
    assert found == counts


def test_of_many_labels_on_one_span_the_file_s_first_is_kept_in_every_process() -> None:
    labels = [f"L{number}" for number in range(20, 0, -1)]
    assert flatten([Span(label, 0, 1) for label in labels], Counter()) == (Span("L20", 0, 1),)


@given(spans=st.lists(SPANS, max_size=12))
def test_flat_spans_do_not_overlap_and_every_dropped_one_overlaps_a_kept_one(spans: list[Span]) -> None:
    counts: Counter[str] = Counter()
    kept = flatten(spans, counts)
    assert all(one.end <= other.start for one, other in pairwise(kept))
    dropped = set(spans) - set(kept)
    assert set(kept) <= set(spans) and counts.total() == len(dropped)
    assert all(any(one.start < other.end and other.start < one.end for other in kept) for one in dropped)


@given(spans=st.lists(SPANS, max_size=12))
def test_a_span_inside_another_is_never_kept_before_it(spans: list[Span]) -> None:
    kept = flatten(spans, Counter())
    for inner in kept:
        around = [s for s in spans if s.start <= inner.start and inner.end <= s.end and s != inner]
        wider = [s for s in around if (s.start, s.end) != (inner.start, inner.end)]
        assert all(any(other.end > s.start and other.start < s.start for other in kept) for s in wider)


def test_character_spans_become_token_spans_without_white_space_at_their_edges() -> None:
    counts: Counter[str] = Counter()
    sentence = sentence_of_text("泵 P-1 \u3000漏油 now", [Span("EQ", 1, 7), Span("F", 7, 10)], 4, counts)
    assert sentence.tokens == ["泵", "P", "-", "1", "漏", "油", "now"]
    assert sentence.spans == (Span("EQ", 1, 4), Span("F", 4, 6))
    assert sentence.line == 4
    assert +counts == {"entities trimmed of white space": 2}


def test_a_span_of_nothing_but_white_space_is_dropped_and_counted() -> None:
    counts: Counter[str] = Counter()
    assert sentence_of_text("a \u3000 b", [Span("X", 1, 4)], 1, counts).spans == ()
    assert counts["entities of white space dropped"] == 1


def test_a_span_that_ends_within_a_word_cuts_it() -> None:
    sentence = sentence_of_text("40bar at pump7", [Span("M", 0, 2), Span("EQ", 9, 13)], 1, Counter())
    assert sentence.tokens == ["40", "bar", "at", "pump", "7"]
    assert sentence.spans == (Span("M", 0, 1), Span("EQ", 3, 4))


@st.composite
def annotated(draw: st.DrawFn) -> tuple[str, list[Span]]:
    text = draw(st.text(st.sampled_from("ab1 \t.é\u0301漏　Ａ\u3099\U0001f527"), min_size=1, max_size=24))
    edges = st.lists(st.integers(0, len(text)), min_size=2, max_size=2, unique=True).map(sorted)
    return text, [Span("X", start, end) for start, end in draw(st.lists(edges, max_size=5))]


@given(case=annotated())
def test_the_text_of_every_entity_is_the_text_that_was_marked(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    counts: Counter[str] = Counter()
    sentence = sentence_of_text(text, spans, 1, counts)
    marked = {text[span.start : span.end].strip() for span in spans}
    for span in sentence.spans:
        start, end = sentence.offsets[span.start][0], sentence.offsets[span.end - 1][1]
        assert text[start:end] in marked
    if any(marked):
        assert sentence.spans


@given(case=annotated())
def test_spans_lie_within_their_text_in_order(case: tuple[str, list[Span]]) -> None:
    sentence = sentence_of_text(*case, 1, Counter())
    edges = [edge for span in sentence.spans for edge in (span.start, span.end)]
    assert edges == sorted(edges) and all(0 <= edge <= len(sentence.offsets) for edge in edges)
    assert all(span.start < span.end for span in sentence.spans)
