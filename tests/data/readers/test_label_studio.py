"""Label Studio's JSON export: which annotation of a task counts, and every kind of region."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgener_runtime.errors import UserInputError

from .reading import READER_OF, RECORDS, label_studio, marked, read, read_as

TOOLS = [tool for tool, reader in READER_OF.items() if reader == "label-studio"]
MIRA = {"type": "labels", "value": {"start": 0, "end": 4, "text": "Mira", "labels": ["PER"]}}


def task(text: Any = "Mira fixed the lathe.", *annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 1, "data": {"text": text}, "annotations": list(annotations), **more}


def done(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"result": list(results), "was_cancelled": False, **more}


def region(start: Any, end: Any, text: str | None, label: str = "PER", **more: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": [label], **more}
    return {"type": "labels", "value": value if text is None else {**value, "text": text}}


def found(*tasks: dict[str, Any]) -> tuple[list[list[tuple[str, str]]], dict[str, int]]:
    """The entities of each sentence, and the counts."""
    sentences, bad = read(json.dumps(tasks))
    return [marked(sentence) for sentence in sentences], dict(+bad.counts)


@pytest.mark.parametrize("tool", TOOLS)
def test_its_records_are_read_by_name(tool: str) -> None:
    (sentence,), record_format, bad = read_as("label-studio", json.dumps([RECORDS[tool]]))
    assert marked(sentence) == [("EQUIPMENT", "泵 P-101"), ("FAULT", "漏油")]
    assert record_format == "label-studio" and not +bad.counts


@pytest.mark.parametrize("tool", sorted(RECORDS.keys() - set(TOOLS)))
def test_records_of_other_formats_are_refused_by_name(tool: str) -> None:
    with pytest.raises(UserInputError, match="expected"):
        read_as("label-studio", json.dumps([RECORDS[tool]]))


def test_a_cancelled_annotation_is_passed_over() -> None:
    cancelled = label_studio()
    cancelled["annotations"].insert(0, {"was_cancelled": True, "result": []})
    assert len(read(json.dumps([cancelled]))[0][0].spans) == 2


def test_tasks_that_nobody_finished_are_left_out_by_reason() -> None:
    tasks = [
        task("Mira left.", done(MIRA)),
        task("Nothing here.", done()),
        task("Mira went.", {**done(MIRA), "was_cancelled": True}),
        task("Mira came."),
        task("Mira came back.", predictions=[{"result": [MIRA]}]),
        {"data": {"text": "no key at all"}},
    ]
    assert found(*tasks) == (
        [[("PER", "Mira")], []],
        {"tasks cancelled": 1, "tasks without annotations": 2, "tasks with predictions only": 1},
    )


def test_the_starred_annotation_counts_else_the_first() -> None:
    other = region(15, 20, "lathe", "EQ")
    starred = task("Mira fixed the lathe.", done(MIRA), done(other, ground_truth=True), done())
    first = task("Mira fixed the lathe.", done(MIRA), done(other))
    assert found(starred, first) == ([[("EQ", "lathe")], [("PER", "Mira")]], {"further annotations of a task": 3})


@pytest.mark.parametrize(
    "results",
    [
        [region(4, 8, "Mira")],  # UTF-16 units behind an emoji and a line end of two characters
        [region(2, 6, "Mira")],  # a line end counted as one
        [region(7, 11, "Mira")],  # bytes
        [region(99, 103, "Mira")],  # anywhere else, where the text is in one place
        [region(4, 8, "Mira"), region(15, 18, "lid", "EQ")],
    ],
)
def test_the_marked_text_decides_over_its_offsets(results: list[dict[str, Any]]) -> None:
    entities, counts = found(task("🔧\r\nMira has a lid.", done(*results)))
    assert entities[0][0] == ("PER", "Mira")
    assert counts == {"entities whose offsets were corrected by their text": len(results)}


@pytest.mark.parametrize("text", ["Mira met Mira and Mira.", "Nobody."])
def test_a_marked_text_in_no_or_in_many_places_rejects_its_record(text: str) -> None:
    wrong = task(text, done(region(40, 44, "Mira")))
    with pytest.raises(UserInputError, match=r"file\.json:1: .* the marked text 'Mira' at 40 to 44, not ''"):
        found(wrong)
    sentences, bad = read(json.dumps([wrong, task("Mira left.", done(MIRA))]), skip=True)
    assert [marked(sentence) for sentence in sentences] == [[("PER", "Mira")]]
    assert bad.counts["broken lines skipped"] == 1


@pytest.mark.parametrize("kind", ["labels", "hypertextlabels"])
def test_html_is_read_by_its_global_offsets_as_the_page_shows_it(kind: str) -> None:
    html = "<div><h1>Shift &amp; day</h1><p>Mira fixed<br>the <b>big</b> lathe.</p></div>"
    value = {"start": "/div[1]/p[1]/text()[1]", "end": "/div[1]/p[1]/text()[1]", "startOffset": 0, "endOffset": 4}
    results = [
        {"type": kind, "value": {**value, "globalOffsets": {"start": 11, "end": 15}, "text": "Mira", kind: ["PER"]}},
        {
            "type": kind,
            "value": {**value, "globalOffsets": {"start": 25, "end": 34}, "text": "big lathe", kind: ["EQ"]},
        },
    ]
    (sentence,), bad = read(json.dumps([task(html, done(*results))]))
    assert sentence.text == "Shift & day\nMira fixed\nthe big lathe."
    assert marked(sentence) == [("PER", "Mira"), ("EQ", "big lathe")] and not +bad.counts


def test_html_without_entities_loses_its_markup_too() -> None:
    (sentence,), _ = read(json.dumps([task("<p>Nothing <i>new</i>.</p>", done())]))
    assert sentence.text == "Nothing new."


def test_html_without_offsets_is_read_where_its_text_is_in_one_place() -> None:
    value = {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "text": "Mira", "hypertextlabels": ["PER"]}
    html = [{"type": "hypertextlabels", "value": value}]
    assert found(task("<p>Mira left.</p>", done(*html)))[0] == [[("PER", "Mira")]]
    with pytest.raises(UserInputError, match="the marked text 'Mira'"):
        found(task("<p>Mira met Mira.</p>", done(*html)))


def test_paragraphs_of_a_dialogue_are_lines_of_one_text() -> None:
    dialogue = [{"author": "A", "text": "Who fixed it?"}, {"author": "B", "text": "Mira did."}]
    value = {"start": "1", "end": "1", "startOffset": 0, "endOffset": 4, "text": "Mira", "paragraphlabels": ["PER"]}
    results = done({"type": "paragraphlabels", "value": value})
    (sentence,), _ = read(json.dumps([{"data": {"dialogue": dialogue}, "annotations": [results]}]))
    assert sentence.text == "Who fixed it?\nMira did." and marked(sentence) == [("PER", "Mira")]
    with pytest.raises(UserInputError, match="the number of a paragraph below 2, not '7'"):
        found(task(dialogue, done({"type": "paragraphlabels", "value": {**value, "start": "7"}})))


def test_regions_of_pictures_are_refused_by_name() -> None:
    picture = {"type": "rectanglelabels", "value": {"x": 1, "y": 2, "rectanglelabels": ["Pump"]}}
    with pytest.raises(UserInputError, match="regions of text, not of the type rectanglelabels"):
        found(task("x", done(picture)))


def test_regions_of_two_texts_are_refused() -> None:
    regions = [{**MIRA, "to_name": "title"}, {**MIRA, "to_name": "body"}]
    with pytest.raises(UserInputError, match="regions of one text, not of body, title"):
        found({"data": {"title": "Mira left.", "text": "Mira came."}, "annotations": [done(*regions)]})


def test_a_region_without_a_label_is_counted() -> None:
    bare = {"type": "text", "value": {"start": 0, "end": 4, "text": "Mira"}}
    empty = {"type": "labels", "value": {"start": 0, "end": 4, "text": "Mira", "labels": []}}
    assert found(task("Mira left.", done(bare, empty, MIRA))) == (
        [[("PER", "Mira")]],
        {"regions without a label dropped": 2},
    )


def test_the_text_may_stand_under_any_name() -> None:
    other = {"data": {"order": "Mira left.", "site": "Basel"}, "annotations": [done(MIRA)]}
    assert found(other)[0] == [[("PER", "Mira")]]


def test_an_annotation_that_a_reviewer_rejected_is_passed_over() -> None:
    wrong, right = region(0, 4, "Mira", "ORG"), region(0, 4, "Mira")
    rejected = done(wrong, last_action="rejected")
    assert found(task("Mira left.", rejected, done(right, last_action="accepted"))) == ([[("PER", "Mira")]], {})
    kept, counts = found(task("Mira left.", done(right)), task("Mira left.", rejected))
    assert kept == [[("PER", "Mira")]] and counts == {"records rejected": 1}
