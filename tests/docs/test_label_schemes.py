"""The page of label schemes has every scheme, with the labels that the code reads."""

from __future__ import annotations

import re
from pathlib import Path

from edgener.data.tags import tags_of
from edgener.data.types import Span
from edgener_runtime.decoding.schemes import SCHEMES, LabelSet, allowed_entities

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "label-schemes.md"
ROW = re.compile(r"^\| ([A-Z0-9]+) \| ((?:`[^`]+` ?){4})", re.MULTILINE)


def test_the_table_has_the_labels_of_every_scheme() -> None:
    rows = {scheme: re.findall("`([^`]+)`", labels) for scheme, labels in ROW.findall(PAGE.read_text(encoding="utf-8"))}
    assert list(rows) == list(SCHEMES)
    for scheme, labels in rows.items():
        spans = (Span("PER", 0, 3), Span("PER", 4, 5))
        first, inner, last, only = LabelSet(tuple(labels), scheme).tags
        written = [first, inner, last, "O", only]
        assert tags_of(spans, 5, scheme) == written
        assert list(allowed_entities(written, scheme)) == [("PER", 0, 3), ("PER", 4, 5)]
