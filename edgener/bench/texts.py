"""Labelled data as the texts of a benchmark."""

from __future__ import annotations

from typing import Any

from edgener.checkpoint import data_record
from edgener.data.types import Dataset, Sentence
from edgener_runtime.commissioning.bench.spec import Gold, Text


def labelled_texts(dataset: Dataset) -> dict[str, Any]:
    """The fields of a Spec for a split's texts and their entities, if it has labels, under the name of its source."""
    record = data_record(dataset)
    texts = (_text(sentence) if dataset.labelled else Text(sentence.text) for sentence in dataset.sentences)
    return {"data": f"{record.source} ({record.split})", "texts": tuple(texts)}


def _text(sentence: Sentence) -> Text:
    """A sentence as a text, its entities in characters."""
    return Text(
        sentence.text,
        tuple(
            Gold(span.label, sentence.offsets[span.start][0], sentence.offsets[span.end - 1][1])
            for span in sentence.spans
        ),
        sentence.offsets,
    )
