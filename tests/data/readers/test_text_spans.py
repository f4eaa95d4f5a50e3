"""Texts with spans that count characters: doccano, Prodigy, JSON-MIN and plain JSON Lines."""

from __future__ import annotations

import json

import pytest

from edgener_runtime.errors import UserInputError

from .reading import READER_OF, RECORDS, marked, read, read_as

TOOLS = [tool for tool, reader in READER_OF.items() if reader == "text-spans"]


@pytest.mark.parametrize("tool", TOOLS)
def test_its_records_are_read_by_name(tool: str) -> None:
    (sentence,), record_format, bad = read_as("text-spans", json.dumps([RECORDS[tool]]))
    assert marked(sentence) == [("EQUIPMENT", "泵 P-101"), ("FAULT", "漏油")]
    assert record_format == "text-spans" and not +bad.counts


@pytest.mark.parametrize("tool", sorted(RECORDS.keys() - set(TOOLS)))
def test_records_of_other_formats_are_refused_by_name(tool: str) -> None:
    with pytest.raises(UserInputError, match="expected"):
        read_as("text-spans", json.dumps([RECORDS[tool]]))


def test_several_labels_on_one_region_keep_the_first_and_count_the_rest() -> None:
    record = {"text": "abc", "label": [{"start": 0, "end": 3, "labels": ["Z", "A"]}]}
    (sentence,), bad = read(json.dumps(record))
    assert marked(sentence) == [("Z", "abc")]
    assert bad.counts["nested entities dropped"] == 1
