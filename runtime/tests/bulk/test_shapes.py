"""The shapes of results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime import Entity, TokenClassifier
from edgener_runtime.bulk.answers import Rejection, text_of
from edgener_runtime.bulk.shapes import SHAPES

from .conftest import TagFile, write_lines

TEXT = "Ms Keller-Meier of 西门子 calls."


def tags(text: str, *spans: tuple[str, int, int]) -> dict[str, str]:
    entities = [Entity(label, start, end, 1.0, text[start:end]) for label, start, end in spans]
    [(tokens, found)] = SHAPES["iob2"].rows(1, text, entities)
    return dict(zip(tokens, found, strict=True))


def test_iob2_tags_words_and_characters() -> None:
    assert tags(TEXT, ("PER", 3, 15), ("ORG", 19, 22)) == {
        "Ms": "O", "Keller": "B-PER", "-": "I-PER", "Meier": "I-PER", "of": "O",
        "西": "B-ORG", "门": "I-ORG", "子": "I-ORG", "calls": "O", ".": "O",
    }  # fmt: skip


def test_neighbours_begin_anew_and_a_token_is_cut_at_an_edge() -> None:
    assert tags("AcmeCorp Berlin", ("ORG", 0, 4), ("ORG", 4, 8), ("LOC", 9, 15)) == {
        "Acme": "B-ORG", "Corp": "B-ORG", "Berlin": "B-LOC",
    }  # fmt: skip


@given(st.text(max_size=30), st.data())
def test_iob2_has_one_begin_per_entity_with_tokens(text: str, data: st.DataObject) -> None:
    edges = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = [("X", start, end) for start, end in zip(edges[::2], edges[1::2], strict=False)]
    entities = [Entity(label, start, end, 1.0, text[start:end]) for label, start, end in spans]
    [(tokens, found)] = SHAPES["iob2"].rows(1, text, entities)
    assert len(tokens) == len(found)
    assert found.count("B-X") == sum(not entity.text.isspace() for entity in entities)


@pytest.mark.parametrize("shape", ["iob2", "rows"])
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_every_format_writes_every_shape(
    shape: str, suffix: str, tag_file: TagFile, classifier: TokenClassifier, tmp_path: Path
) -> None:
    text = "泵 P-101 leaks"
    entities = classifier.predict(text)
    source = tmp_path / f"in{suffix}"
    if suffix == ".parquet":
        pq = pytest.importorskip("pyarrow.parquet", reason="no pyarrow here: the extra bulk")
        import pyarrow as pa

        pq.write_table(pa.table({"text": [None, text]}), source)
    elif suffix == ".csv":
        source.write_text(f"text\nx\ufffd\n{text}\n".replace("x\ufffd", "y" * 50), encoding="utf-8")
    else:
        write_lines(source, [{"text": None}, {"text": text}])
    done = tag_file(source, shape=shape, max_characters=40, offsets="utf8")
    assert [number for number, _ in done.reasons] == [1]
    if suffix != ".jsonl":
        return
    rows = done.records
    if shape == "iob2":
        assert rows[0]["tokens"] is None and "".join(rows[1]["tokens"]) == text.replace(" ", "")
        assert sum(tag.startswith("B-") for tag in rows[1]["ner_tags"]) == len(entities)
    else:
        starts = [len(text[: entity.start].encode()) for entity in entities]
        assert [row["entity_start"] for row in rows] == starts and {row["text_row"] for row in rows} == {2}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null"), (float("nan"), "null"), (7, "int in place"), (["a"], "list in place"), (True, "bool in place"),
        (b"\xff", "not UTF-8: byte 0xff at byte 0"), ("x" * 11, "longer than 10 characters"), (b"y" * 41, "longer"),
        ("\u6cf5" * 11, "longer"), (("\u6cf5" * 11).encode(), "longer"),
    ],
)  # fmt: skip
def test_why_a_value_is_not_a_text(value: object, reason: str) -> None:
    found = text_of(value, 10)
    assert isinstance(found, Rejection) and found.reason.startswith(reason)
    json.dumps(found.text)


@pytest.mark.parametrize("value", ["", "x" * 10, "\u6cf5" * 10, ("\u6cf5" * 10).encode(), b""])
def test_what_is_a_text(value: object) -> None:
    assert isinstance(text_of(value, 10), str)
