"""Every reader on records in every state: nothing lost without a count, no entity of another text, no traceback."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgener.data.read import DataSpec, read_splits
from edgener.data.readers.table import READERS
from edgener.data.reasons import LEFT_OUT_RECORDS
from edgener.data.text.marked import same_text
from edgener.data.types import Dataset
from edgener_runtime.errors import UserInputError

from .reading import marked

QUICK = settings(max_examples=40)
ALPHABET = "ab C7.，漏油年é\u0301\U0001f527\U00020000한\u200b-"
WORD = st.text(st.sampled_from("abC7漏油é\U0001f527한"), min_size=1, max_size=5)
LABEL = st.sampled_from(["PER", "设备", "A/B"])
STATES = ("read", "rejected", "unanswered")


@dataclass(frozen=True)
class Case:
    """A record: words, each of them with a label or none, and what its annotator did with it."""

    words: tuple[str, ...]
    labels: tuple[str | None, ...]
    state: str

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def entities(self) -> list[tuple[int, int, str, str]]:
        """Start, end, label and text of each labelled word, in characters."""
        found, at = [], 0
        for word, label in zip(self.words, self.labels, strict=True):
            if label:
                found.append((at, at + len(word), label, word))
            at += len(word) + 1
        return found


CASE = st.lists(st.tuples(WORD, st.none() | LABEL), min_size=1, max_size=5).flatmap(
    lambda pairs: st.builds(
        Case, st.just(tuple(word for word, _ in pairs)), st.just(tuple(label for _, label in pairs)),
        st.sampled_from(STATES),
    )
)  # fmt: skip
CASES = st.lists(CASE, min_size=1, max_size=4)
Write = Callable[[Path, Sequence[Case]], Path]


def utf16(text: str, position: int) -> int:
    return len(text[:position].encode("utf-16-le")) // 2


def write_json(record: Callable[[Case], Any]) -> Write:
    def write(folder: Path, cases: Sequence[Case]) -> Path:
        file = folder / "a.jsonl"
        file.write_text("\n".join(json.dumps(record(case)) for case in cases))
        return file

    return write


def prodigy(case: Case) -> Any:
    answer = {"read": "accept", "rejected": "reject", "unanswered": None}[case.state]
    spans = [{"start": start, "end": end, "label": label} for start, end, label, _ in case.entities()]
    return {"text": case.text, "spans": spans, "answer": answer}


def label_studio(case: Case) -> Any:
    """Offsets in UTF-16 units, as browsers count."""
    result = [
        {"type": "labels", "value": {"start": utf16(case.text, start), "end": utf16(case.text, end), "text": word,
                                     "labels": [label]}}
        for start, end, label, word in case.entities()
    ]  # fmt: skip
    task = {"data": {"text": case.text}, "annotations": [{"result": result, "was_cancelled": case.state == "rejected"}]}
    return {**task, "annotations": []} if case.state == "unanswered" else task


def spacy(case: Case) -> Any:
    return [case.text, {"entities": [[start, end, label] for start, end, label, _ in case.entities()]}]


def token_spans(case: Case) -> Any:
    spans = [{"start": i, "end": i + 1, "type": label} for i, label in enumerate(case.labels) if label]
    return {"tokens": case.words, "entities": spans}


def token_tags(case: Case) -> Any:
    return {"tokens": case.words, "ner_tags": tags(case)}


def tags(case: Case) -> list[str]:
    return [f"B-{label}" if label else "O" for label in case.labels]


def write_conll(folder: Path, cases: Sequence[Case]) -> Path:
    file = folder / "a.txt"
    lines = ["start\tO", ""]  # so that a file of words without labels has a column of tags too
    for case in cases:
        lines += [f"{word}\t{tag}" for word, tag in zip(case.words, tags(case), strict=True)] + [""]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def write_csv(folder: Path, cases: Sequence[Case]) -> Path:
    rows = [["sentence", "token", "tag"], ["0", "start", "O"]]
    for number, case in enumerate(cases, start=1):
        rows += [[str(number), word, tag] for word, tag in zip(case.words, tags(case), strict=True)]
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows(rows)
    file = folder / "a.csv"
    file.write_text(text.getvalue(), encoding="utf-8")
    return file


def write_brat(folder: Path, cases: Sequence[Case]) -> Path:
    shutil.rmtree(folder / "brat", ignore_errors=True)
    (folder / "brat").mkdir()
    (folder / "brat" / "start.ann").write_text("")
    (folder / "brat" / "start.txt").write_text("start")
    for number, case in enumerate(cases):
        entities = enumerate(case.entities(), start=1)
        lines = [f"T{i}\t{label} {start} {end}\t{word}" for i, (start, end, label, word) in entities]
        (folder / "brat" / f"{number}.txt").write_text(case.text, encoding="utf-8")
        if case.state == "read":
            (folder / "brat" / f"{number}.ann").write_text("\n".join(lines), encoding="utf-8")
    return folder / "brat"


def write_parquet(folder: Path, cases: Sequence[Case]) -> Path:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    table = pa.table({"tokens": [list(case.words) for case in cases], "ner_tags": [tags(case) for case in cases]})
    pyarrow.parquet.write_table(table, folder / "a.parquet")
    return folder / "a.parquet"


def write_saved(folder: Path, cases: Sequence[Case]) -> Path:
    pa = pytest.importorskip("pyarrow")
    (folder / "saved").mkdir(exist_ok=True)
    spans = [[{"start": s, "end": e, "label": x} for s, e, x, _ in case.entities()] for case in cases]
    table = pa.table({"text": [case.text for case in cases], "entities": spans})
    with pa.ipc.new_stream(str(folder / "saved" / "data.arrow"), table.schema) as sink:
        sink.write_table(table)
    (folder / "saved" / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    (folder / "saved" / "dataset_info.json").write_text("{}")
    return folder / "saved"


def write_lines(folder: Path, cases: Sequence[Case]) -> Path:
    (folder / "lines.txt").write_text("\n".join(case.text for case in cases), encoding="utf-8")
    return folder / "lines.txt"


# How to write cases for each reader, the sentences that it reads beside them, and whether records have an answer.
WRITERS: dict[str, tuple[Write, int, bool]] = {
    "parquet": (write_parquet, 0, False),
    "datasets": (write_saved, 0, False),
    "brat": (write_brat, 1, True),
    "json": (write_json(prodigy), 0, True),
    "spacy": (write_json(spacy), 0, False),
    "label-studio": (write_json(label_studio), 0, True),
    "token-tags": (write_json(token_tags), 0, False),
    "token-spans": (write_json(token_spans), 0, False),
    "text-spans": (write_json(prodigy), 0, True),
    "csv": (write_csv, 1, False),
    "conll": (write_conll, 1, False),
    "lines": (write_lines, 0, False),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cases")


def read_whole(path: Path, name: str, on_error: str = "stop") -> Dataset:
    return read_splits(DataSpec(str(path), format=name, on_error=on_error))["all"]


def left_out_records(dataset: Dataset) -> int:
    return sum(count for reason, count in dataset.repairs.items() if reason in LEFT_OUT_RECORDS)


def test_every_reader_has_a_writer() -> None:
    assert list(WRITERS) == list(READERS)


@pytest.mark.parametrize("name", WRITERS)
@given(cases=CASES)
@QUICK
def test_what_is_written_is_read_or_left_out_with_its_reason(folder: Path, name: str, cases: list[Case]) -> None:
    write, beside, answers = WRITERS[name]
    path = write(folder, cases)
    expected = [case for case in cases if case.state == "read" or not answers]
    if not expected and not beside:
        with pytest.raises(UserInputError, match=f"holds no sentences but those left out: {len(cases)} |left out: "):
            read_whole(path, name)
        return
    dataset = read_whole(path, name)
    assert len(dataset.sentences) + left_out_records(dataset) == len(cases) + beside
    found = sorted(pair for sentence in dataset.sentences for pair in marked(sentence))
    gold = sorted((label, word) for case in expected for _, _, label, word in case.entities())
    assert found == ([] if name == "lines" else gold)


@pytest.mark.parametrize("name", WRITERS)
@given(cases=CASES, at=st.floats(0, 1), cut=st.integers(0, 6), new=st.binary(max_size=4) | st.sampled_from(
    [b"\n", b"\t", b'"', b"[", b"{", b" ", b",", b"-1", b"99", b"O", b"B-", "漏".encode()[:2], b"null"]))  # fmt: skip
@QUICK
def test_a_damaged_file_is_read_or_refused(
    folder: Path, name: str, cases: list[Case], at: float, cut: int, new: bytes
) -> None:
    path = WRITERS[name][0](folder, cases)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    file = files[int(at * (len(files) - 1))]
    data = file.read_bytes()
    start = int(at * len(data))
    file.write_bytes(data[:start] + new + data[start + cut :])
    for reader in (name, "auto"):
        for on_error in ("stop", "skip"):
            try:
                dataset = read_whole(path, reader, on_error)
            except UserInputError as error:
                assert error.message and "Traceback" not in error.message
            else:
                check_marked(path, dataset)


def check_marked(path: Path, dataset: Dataset) -> None:
    """Every entity of a format that has marked texts has one of them."""
    if dataset.format not in ("label-studio", "brat"):
        return
    texts: set[str] = set()
    if dataset.format == "brat":
        for file in path.glob("*.ann"):
            texts |= {line.split("\t")[-1] for line in file.read_text(encoding="utf-8").splitlines()}
    else:
        decoded = [decode(line) for line in path.read_text(encoding="utf-8").split("\n")]
        texts |= {
            value["text"] for record in decoded for value in regions(record) if isinstance(value.get("text"), str)
        }
        if any("text" not in value for record in decoded for value in regions(record)):
            return
    for sentence in dataset.sentences:
        for _, text in marked(sentence):
            assert any(same_text(text.strip("\u200b "), other.strip("\u200b ")) for other in texts) or not texts


def decode(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def regions(record: Any) -> list[dict[str, Any]]:
    if isinstance(record, list):
        return [value for item in record for value in regions(item)]
    if not isinstance(record, dict):
        return []
    own = [record] if "labels" in record else []
    return own + [value for item in record.values() for value in regions(item)]
