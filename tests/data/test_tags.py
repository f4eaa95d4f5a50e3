"""Tags to spans for every scheme, compared with writers of the schemes and with seqeval's reading of conlleval."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from edgener.data.tags import SCHEMES, TAG, guess_scheme, inside, spans_of, spread, tags_of
from edgener.data.types import Sentence, Span
from edgener_runtime.decoding.schemes import SCHEMES as RULES
from edgener_runtime.decoding.schemes import allowed_entities

# First, inner and last token of an entity, and the only one.
PREFIXES = {
    "IO": "IIII",
    "IOB1": "IIII",
    "IOB2": "BIIB",
    "BIOES": "BIES",
    "BMES": "BMES",
    "BILOU": "BILU",
}
LABELS = st.sampled_from(["PER", "creative-work", "A/B", "设备"])


def written(length: int, spans: tuple[Span, ...], scheme: str) -> list[str]:
    """The tags of flat spans in a scheme."""
    first, inner, last, only = tuple(PREFIXES[scheme])
    tags, before = ["O"] * length, None
    for span in spans:
        size = span.end - span.start
        prefixes = only if size == 1 else first + inner * (size - 2) + last
        if scheme == "IOB1" and before and (before.end, before.label) == (span.start, span.label):
            prefixes = "B" + prefixes[1:]
        tags[span.start : span.end] = [f"{prefix}-{span.label}" for prefix in prefixes]
        before = span
    return tags


@st.composite
def flat_spans(draw: st.DrawFn) -> tuple[int, tuple[Span, ...]]:
    """A length in tokens, and spans in order."""
    spans, position = [], 0
    for gap, size, label in draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), LABELS), max_size=6)):
        spans.append(Span(label, position + gap, position + gap + size))
        position += gap + size
    return position + draw(st.integers(0, 2)), tuple(spans)


def touch_alike(spans: tuple[Span, ...]) -> bool:
    """Whether two entities of one label stand side by side, which IO cannot write."""
    return any((a.end, a.label) == (b.start, b.label) for a, b in pairwise(spans))


@pytest.mark.parametrize("scheme", SCHEMES)
@given(case=flat_spans())
def test_spans_come_back_from_the_tags_of_every_scheme(scheme: str, case: tuple[int, tuple[Span, ...]]) -> None:
    length, spans = case
    assume(scheme != "IO" or not touch_alike(spans))
    tags = written(length, spans, scheme)
    assert all(TAG.fullmatch(tag) for tag in tags)
    assert spans_of(tags, scheme) == (spans, 0)
    assert spans_of(tags, guess_scheme([tags]))[0] == spans


@pytest.mark.parametrize("scheme", ["IO", "IOB1", "IOB2", "BIOES"])
@given(case=flat_spans())
def test_spans_are_written_in_a_scheme(scheme: str, case: tuple[int, tuple[Span, ...]]) -> None:
    length, spans = case
    assert tags_of(spans, length, scheme) == written(length, spans, scheme)


@pytest.mark.parametrize("scheme", RULES)
@given(case=flat_spans())
def test_what_is_written_is_allowed(scheme: str, case: tuple[int, tuple[Span, ...]]) -> None:
    length, spans = case
    assume(scheme not in ("IO", "PLAIN") or not touch_alike(spans))
    assert [Span(*entity) for entity in allowed_entities(tags_of(spans, length, scheme), scheme)] == list(spans)


@given(case=flat_spans())
def test_a_sentence_writes_its_spans_as_iob2(case: tuple[int, tuple[Span, ...]]) -> None:
    length, spans = case
    sentence = Sentence("x" * length, tuple((i, i + 1) for i in range(length)), spans)
    assert sentence.tags() == written(length, spans, "IOB2")


@given(tags=st.lists(st.sampled_from(["O", *(f"{prefix}-{label}" for prefix in "BIES" for label in "XY")])))
def test_any_tags_are_read_as_conlleval_reads_them(tags: list[str]) -> None:
    spans, fixed = spans_of(tags)
    assert [(span.label, span.start, span.end - 1) for span in spans] == get_entities(tags)
    assert fixed <= len(spans)
    assert spans_of(written(len(tags), spans, "IOB2")) == (spans, 0)


@pytest.mark.parametrize(
    ("tags", "spans", "fixed"),
    [
        (["O", "I-X", "I-X"], [("X", 1, 3)], 1),
        (["I-X", "O", "B-X", "I-Y"], [("X", 0, 1), ("X", 2, 3), ("Y", 3, 4)], 2),
        (["E-X", "B-X", "E-X", "I-X"], [("X", 0, 1), ("X", 1, 3), ("X", 3, 4)], 2),
        (["S-X", "I-X"], [("X", 0, 1), ("X", 1, 2)], 1),
        (["B-X", "B-X"], [("X", 0, 1), ("X", 1, 2)], 0),
        ([], [], 0),
    ],
)
def test_an_entity_that_begins_without_b_is_kept_and_counted(
    tags: list[str], spans: list[tuple[str, int, int]], fixed: int
) -> None:
    assert spans_of(tags) == (tuple(Span(*span) for span in spans), fixed)


@pytest.mark.parametrize("scheme", ["IO", "IOB1"])
def test_where_entities_may_begin_with_i_none_is_stray(scheme: str) -> None:
    assert spans_of(["I-X", "O", "I-Y", "I-X"], scheme)[1] == 0


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IO", ["I-X", "I-X", "O", "I-Y"]),
        ("IOB1", ["I-X", "B-X", "O", "I-Y", "I-X"]),
        ("IOB2", ["B-X", "I-X", "B-X", "O"]),
        ("IOB2", ["B-X", "O", "I-Y"]),
        ("IOB2", ["O", "O"]),
        ("BIOES", ["B-X", "I-X", "E-X", "S-Y"]),
        ("BIOES", ["O", "S-Y"]),
        ("BMES", ["B-X", "M-X", "E-X", "S-Y"]),
        ("BILOU", ["B-X", "I-X", "L-X", "U-Y"]),
        ("BILOU", ["O", "U-Y"]),
    ],
)
def test_the_scheme_is_guessed_from_its_prefixes(scheme: str, tags: list[str]) -> None:
    assert guess_scheme([[], tags]) == scheme


@pytest.mark.parametrize("tag", ["B", "B-", "b-PER", "X-PER", "OO", "", "B- PER", "PER"])
def test_what_is_not_a_tag(tag: str) -> None:
    assert not TAG.fullmatch(tag)


def test_an_entity_goes_on_with_i() -> None:
    assert [inside(tag) for tag in ("B-A-B", "I-X", "O")] == ["I-A-B", "I-X", "O"]


@pytest.mark.parametrize(
    ("tag", "two"),
    [("O", "O O"), ("B-A-B", "B-A-B I-A-B"), ("I-X", "I-X I-X"), ("E-X", "I-X E-X"), ("S-X", "B-X E-X")],
)
def test_two_tokens_of_a_subword_are_one_entity(tag: str, two: str) -> None:
    assert spread(tag) == two.split()
