"""Tasks for annotation tools: what is written is read back with the same entities, in any language."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edgener.data.read import DataSpec, read_split
from edgener.data.tasks import TASK_FORMATS, write_tasks
from edgener_runtime.decoding.entity import Entity
from edgener_runtime.errors import DeviceError, StorageError
from edgener_runtime.pipeline import TokenClassifier

TEXTS = {
    "Pump P-101 leaks": [(0, 10, "EQUIPMENT"), (11, 16, "FAULT")],
    "💩💩 Pumpe in Müllers Halle\u2028läuft": [(3, 8, "EQUIPMENT"), (12, 19, "PERSON")],
    "泵 P-101 漏油": [(0, 7, "EQUIPMENT"), (8, 10, "FAULT")],
    "المضخة تسرب زيتا": [(0, 6, "EQUIPMENT")],
    "e\u0301cluse 👩‍🔧 <b>&amp;</b> fuit": [(0, 7, "EQUIPMENT"), (25, 29, "FAULT")],
    "nothing here": [],
}


class Answering:
    """A classifier with these answers."""

    manifest = SimpleNamespace(name="factory", version="0123")

    def stream(self, texts: Sequence[str]) -> Iterator[list[Entity]]:
        for text in texts:
            if text == "broken":
                raise DeviceError("planted")
            yield [
                Entity(label, start, end, 0.9 if label == "EQUIPMENT" else 0.4, text[start:end])
                for start, end, label in TEXTS[text]
            ]


def write(tool: str, out: Path, texts: Sequence[str] = tuple(TEXTS), min_score: float = 0) -> int:
    return write_tasks(cast(TokenClassifier, Answering()), texts, out, TASK_FORMATS[tool], min_score)


def annotated(tool: str, file: Path) -> Path:
    """The tool's export of the tasks after an annotator accepted them: of Label Studio, predictions are no answers."""
    if tool == "label-studio":
        tasks = json.loads(file.read_text())
        for task in tasks:
            (prediction,) = task.pop("predictions")
            task["annotations"] = [{"result": prediction["result"], "was_cancelled": False}]
        file.write_text(json.dumps(tasks))
    return file


@pytest.mark.parametrize("tool", TASK_FORMATS)
def test_what_is_written_is_read_back_with_the_same_entities(tool: str, tmp_path: Path) -> None:
    assert write(tool, tmp_path / "tasks.json") == 9
    dataset = read_split(DataSpec(str(annotated(tool, tmp_path / "tasks.json"))), "train")
    found = {}
    for sentence in dataset.sentences:
        ranges = [(sentence.offsets[span.start][0], sentence.offsets[span.end - 1][1]) for span in sentence.spans]
        found[sentence.text] = [(*ends, span.label) for ends, span in zip(ranges, sentence.spans, strict=True)]
    assert found == TEXTS
    assert not +dataset.repairs


def test_predictions_that_nobody_confirmed_are_no_labels(tmp_path: Path) -> None:
    write("label-studio", tmp_path / "tasks.json")
    with pytest.raises(Exception, match="prediction"):
        read_split(DataSpec(str(tmp_path / "tasks.json"), strict_data=True), "train")


@pytest.mark.parametrize("tool", TASK_FORMATS)
def test_entities_below_the_score_are_left_out(tool: str, tmp_path: Path) -> None:
    assert write(tool, tmp_path / "tasks.json", min_score=0.5) == 5
    assert "FAULT" not in (tmp_path / "tasks.json").read_text()


@pytest.mark.parametrize("tool", ["label-studio", "prodigy"])
def test_scores_stand_where_the_tool_has_a_field(tool: str, tmp_path: Path) -> None:
    write(tool, tmp_path / "tasks.json", ["Pump P-101 leaks"])
    text = (tmp_path / "tasks.json").read_text()
    record: Any = json.loads(text)
    spans = record[0]["predictions"][0]["result"] if tool == "label-studio" else record["spans"]
    assert [span["score"] for span in spans] == [0.9, 0.4]
    assert tool == "prodigy" or record[0]["predictions"][0]["score"] == 0.4


def test_a_text_that_fails_leaves_the_earlier_file(tmp_path: Path) -> None:
    out = tmp_path / "tasks.jsonl"
    out.write_text("earlier")
    with pytest.raises(DeviceError):
        write("doccano", out, ["nothing here", "broken"])
    assert out.read_text() == "earlier" and [*tmp_path.iterdir()] == [out]


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="tasks"):
        write("doccano", tmp_path / "file" / "tasks.jsonl")


def test_a_lone_surrogate_is_written_as_the_replacement_character(tmp_path: Path) -> None:
    TEXTS["a\ufffdb"] = []
    try:
        write("doccano", tmp_path / "tasks.jsonl", ["a\ud800b"])
    finally:
        del TEXTS["a\ufffdb"]
    assert json.loads((tmp_path / "tasks.jsonl").read_text())["text"] == "a\ufffdb"
