"""spaCy's training pairs."""

from __future__ import annotations

import json

import pytest

from edgener_runtime.errors import UserInputError

from .reading import READER_OF, RECORDS, marked, read_as

TOOLS = [tool for tool, reader in READER_OF.items() if reader == "spacy"]


@pytest.mark.parametrize("tool", TOOLS)
def test_its_records_are_read_by_name(tool: str) -> None:
    (sentence,), record_format, bad = read_as("spacy", json.dumps([RECORDS[tool]]))
    assert marked(sentence) == [("EQUIPMENT", "泵 P-101"), ("FAULT", "漏油")]
    assert record_format == "spacy" and not +bad.counts


@pytest.mark.parametrize("tool", sorted(RECORDS.keys() - set(TOOLS)))
def test_records_of_other_formats_are_refused_by_name(tool: str) -> None:
    with pytest.raises(UserInputError, match="expected"):
        read_as("spacy", json.dumps([RECORDS[tool]]))
