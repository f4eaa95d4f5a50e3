"""JSON Lines and plain lines: every object keeps its bytes, and what cannot be tagged is listed with its number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.bulk.spec import ROWS_AT_ONCE
from edgener_runtime.errors import UserInputError

from .conftest import TagFile, write_lines

LEAK = "Pump P-101 leaks at the seal"


def test_the_entities_are_those_of_predict(tag_file: TagFile, classifier: TokenClassifier, tmp_path: Path) -> None:
    texts = [LEAK, "泵 P-7 漏油，请检查密封圈", "", "Der Motor läuft heiß"]
    done = tag_file(write_lines(tmp_path / "in.jsonl", [{"text": text} for text in texts]))
    assert [record["text"] for record in done.records] == texts
    expected = [[vars(entity) for entity in found] for found in classifier.predict_batch(texts)]
    assert [record["entities"] for record in done.records] == expected


@pytest.mark.parametrize(
    "line",
    [
        b'{"text": "a", "n": 1.50, "big": 12345678901234567890123, "e": 1E400}',
        b'{ "x" : [ {"y":null} ] , "text":"a" }',
        b'{"a":1,"a":2,"text":"\\u0061"}',
        b'\t{"text":"\xe6\xb3\xb5 a"}  \r',
    ],
    ids=["numbers", "spaces", "names twice and escapes", "white space around"],
)
def test_an_object_keeps_its_bytes(line: bytes, tag_file: TagFile, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(line + b"\n")
    data = tag_file(source).data
    assert data.startswith(line.strip()[:-1].rstrip() + b', "entities": [') and data.endswith(b"]}\n")


@pytest.mark.compat
def test_what_cannot_be_tagged_is_listed(tag_file: TagFile, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(
        b'{"text": null}\n{"text": 7}\n\n{"other": 1}\n{"text": "\xff"}\n{"text": "a"\n["a"]\n'
        + b'{"text": "' + b"x" * 50 + b'"}\n{"text": "ok", "entities": 1}\n' + b"[" * 100_000 + b'\n{"text": "ok"}'
    )  # fmt: skip
    done = tag_file(source, max_characters=40)
    assert [number for number, _ in done.reasons] == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    reasons = [reason for _, reason in done.reasons]
    for reason, start in zip(
        reasons,
        ("null", "int in place", "no field 'text'", "not UTF-8: byte 0xff", "not JSON: ", "not a JSON object",
         "longer than 40", "has a field 'entities' already", "JSON that cannot be read"), strict=True,
    ):  # fmt: skip
        assert reason.startswith(start)
    assert [record.get("text") for record in done.records] == [None, 7, None, "x" * 50, "ok"]
    assert [record["entities"] is None for record in done.records] == [True, True, True, True, False]


def test_texts_with_lone_surrogates_and_a_byte_order_mark(tag_file: TagFile, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'\xef\xbb\xbf{"text": "\\ud83d pump leaks"}\n')
    done = tag_file(source)
    assert done.records[0]["text"] == "\ud83d pump leaks" and not done.rejected
    done.data.decode("utf-8")


def test_an_empty_object_and_an_empty_file(tag_file: TagFile, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"{}\n{ }")
    done = tag_file(tmp_path / "in.jsonl")
    assert done.data == b'{"entities": null}\n' * 2 and len(done.rejected) == 2
    (tmp_path / "empty.jsonl").write_bytes(b"")
    assert tag_file(tmp_path / "empty.jsonl").data == b""


def test_chunks_are_in_order_and_limited(tag_file: TagFile, tmp_path: Path) -> None:
    count = 2 * ROWS_AT_ONCE + 3
    done = tag_file(write_lines(tmp_path / "in.jsonl", [{"id": number, "text": "ok"} for number in range(count)]))
    assert done.chunks == 3 and [record["id"] for record in done.records] == list(range(count))


def test_a_line_of_10_mb_is_tagged_or_rejected_by_its_length(tag_file: TagFile, tmp_path: Path) -> None:
    long = {"text": "ok", "more": "x" * 10_000_000}
    source = write_lines(tmp_path / "in.jsonl", [{"text": LEAK}, long, {"text": "y " * 5_000_000}, {"text": LEAK}])
    done = tag_file(source)
    assert done.chunks == 4 and done.reasons == [(3, "longer than 1,000,000 characters")]
    assert done.records[1]["more"] == long["more"] and done.records[3]["entities"] == done.records[0]["entities"]


def test_a_line_that_does_not_fit_in_memory_is_not_read(
    tag_file: TagFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgener_runtime.bulk.formats.raw_rows.LONGEST_RECORD", 1000)
    monkeypatch.setattr("edgener_runtime.bulk.formats.raw_rows.CHUNK_BYTES", 500)
    done = tag_file(write_lines(tmp_path / "in.jsonl", [{"text": "ok"}, {"text": "x" * 5000}, {"text": "ok"}]))
    assert [(number, reason[:16]) for number, reason in done.reasons] == [(2, "a row of 5,013 b")]
    assert len(done.records) == 2


def test_plain_lines_become_json_lines(tag_file: TagFile, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_bytes(f"{LEAK}\r\n\n  \n泵漏油\u2028x\n".encode() + b"caf\xe9\nlast")
    done = tag_file(source)
    assert [record["text"] for record in done.records] == [LEAK, "泵漏油\u2028x", "last"]
    assert done.reasons == [(5, "not UTF-8: byte 0xe9 at byte 3")]
    with pytest.raises(UserInputError, match="plain lines, which have no column 'note'"):
        tag_file(source, text_column="note")


def test_utf_16_is_refused_at_once(tag_file: TagFile, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(json.dumps({"text": "a"}).encode("utf-16"))
    with pytest.raises(UserInputError, match="UTF-16, expected UTF-8"):
        tag_file(tmp_path / "in.jsonl")
