"""Each side of a change as it is shown: its words in order, its entity marked, long ones cut at spaces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgener.parity.measures.diff import Change, FoundEntity
from edgener.report.excerpt import AROUND, excerpts

from .pages import CHANGES, change


@st.composite
def found_changes(draw: st.DrawFn) -> Change:
    text = draw(st.text(st.sampled_from("ab é東\n🙂א"), min_size=1, max_size=1500))
    sides = []
    for label in draw(st.sampled_from((("X", "Y"), ("X", None), (None, "Y")))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, min(len(text), start + 300)))
        sides.append(FoundEntity(label, start, end, text[start:end]) if label else None)
    return Change("moved", 0, 1, text, sides[0], sides[1], 0.5, 0.5, 0.1)


@given(found_changes())
def test_both_sides_show_the_same_words_and_each_its_own_entity(found: Change) -> None:
    pytorch, variant = excerpts(found)
    whole = [side.before + side.entity + side.behind for side in (pytorch, variant)]
    assert whole[0] == whole[1]
    assert whole[0].removeprefix("… ").removesuffix(" …") in found.text
    for side, entity in ((pytorch, found.pytorch), (variant, found.variant)):
        assert side.label == (entity.label if entity else None)
        assert not entity or side.entity == entity.text


@given(found_changes())
def test_a_page_of_text_is_cut_around_what_changed(found: Change) -> None:
    spans = [entity for entity in (found.pytorch, found.variant) if entity]
    longest = max(span.end for span in spans) - min(span.start for span in spans) + 2 * AROUND + 4
    assert all(len(side.before + side.entity + side.behind) <= longest for side in excerpts(found))


def test_a_short_sentence_is_shown_whole() -> None:
    pytorch, variant = excerpts(CHANGES[3])
    assert (pytorch.before, pytorch.entity, pytorch.behind) == ("in ", "New York City", " today")
    assert (variant.before, variant.entity, variant.behind) == ("in ", "New York", " City today")


def test_a_lost_entity_stands_unmarked_where_it_was() -> None:
    _, variant = excerpts(CHANGES[0])
    assert (variant.entity, variant.label) == ("Paris", None)


def test_a_long_sentence_is_cut_at_spaces() -> None:
    pytorch, _ = excerpts(change("lost", f"{'word ' * 200}Paris{' word' * 200}", ("LOC", "Paris"), None))
    assert pytorch.before.startswith("… word ")
    assert pytorch.behind.endswith(" word …")
