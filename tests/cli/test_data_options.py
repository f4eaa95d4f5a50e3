"""Data of every kind through the commands that read it: what is left out is printed, recorded, or an error."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from random import Random
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from edgener.bench.texts import labelled_texts
from edgener.cli.main import main
from edgener.cli.options import data_options, data_settings
from edgener.data.read import DataSpec, read_splits
from edgener.data.types import Dataset
from edgener_runtime.bundle.manifest import MANIFEST
from edgener_runtime.cli.options import option_arguments

EXPORT = ("--variant", "fp32", "--threads", 1, "--json")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def evaluated(model: Path, data: Path, *options: object) -> dict[str, Any]:
    done = run("evaluate", model, "--data", data, "--json", "--threads", 1, *options)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def test_set(small_factory: dict[str, Dataset]) -> Dataset:
    return small_factory["test"]


@pytest.fixture
def conll(test_set: Dataset, tmp_path: Path) -> Path:
    """The test set in columns, as other formats of tokens are compared with it."""
    file = tmp_path / "test.conll"
    lines = [
        f"{token}\t{tag}"
        for s in test_set.sentences
        for token, tag in [*zip(s.tokens, s.tags(), strict=True), ("", "")]
    ]
    file.write_text("\n".join(line.strip("\t") for line in lines), encoding="utf-8")
    return file


@pytest.fixture
def table(test_set: Dataset, tmp_path: Path) -> Path:
    with (tmp_path / "test.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("Sentence #", "Word", "Tag"))
        for number, sentence in enumerate(test_set.sentences):
            for index, cells in enumerate(zip(sentence.tokens, sentence.tags(), strict=True)):
                rows.writerow(("" if index else f"Sentence: {number}", *cells))
    return tmp_path / "test.csv"


@pytest.fixture
def parquet(test_set: Dataset, tmp_path: Path) -> Path:
    """Tags as numbers, with their names in the schema."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    names = ["O", *(f"{prefix}-{label}" for label in test_set.labels for prefix in "BI")]
    columns = {
        "tokens": [sentence.tokens for sentence in test_set.sentences],
        "ner_tags": [[names.index(tag) for tag in sentence.tags()] for sentence in test_set.sentences],
    }
    label = {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"}
    record = json.dumps({"info": {"features": {"ner_tags": label}}})
    pyarrow.parquet.write_table(
        pa.table(columns).replace_schema_metadata({"huggingface": record}), tmp_path / "a.parquet"
    )
    return tmp_path / "a.parquet"


@pytest.mark.parametrize("source", ["table", "parquet"])
def test_a_model_has_the_same_scores_on_the_same_tokens_in_any_format(
    trained: Path, conll: Path, source: str, request: pytest.FixtureRequest
) -> None:
    expected = evaluated(trained, conll)
    found = evaluated(trained, request.getfixturevalue(source))
    assert found["entities"] == expected["entities"] and found["entities"]["micro"]["f1"] > 0.5
    assert found["data"]["sha256"] == expected["data"]["sha256"]


def test_labels_of_the_data_become_those_of_the_model(trained: Path, conll: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.conll"
    other.write_text(conll.read_text(encoding="utf-8").replace("-EQUIPMENT", "-MACHINE").replace("-FAULT", "-DEFECT"))
    refused = run("evaluate", trained, "--data", other)
    assert refused.exit_code == 2
    assert "has labels that the model does not know: DEFECT, MACHINE; it knows" in refused.stderr
    assert "--map-labels DEFECT=" in refused.stderr and "one text per line" in refused.stderr
    mapped = evaluated(trained, other, "--map-labels", "MACHINE=EQUIPMENT", "--map-labels", "DEFECT=FAULT")
    assert mapped["entities"] == evaluated(trained, conll)["entities"]
    dropped = run("evaluate", trained, "--data", other, "--map-labels", "MACHINE=EQUIPMENT", "--map-labels", "DEFECT=O")
    assert dropped.exit_code == 0 and "changed: " in dropped.stderr and "entities mapped to O" in dropped.stderr


@pytest.mark.parametrize("name", ["texts.txt", "texts.jsonl"])
def test_text_without_labels_judges_an_export_by_churn_and_cannot_be_scored(
    trained: Path, test_set: Dataset, tmp_path: Path, name: str
) -> None:
    texts = [sentence.text for sentence in test_set.sentences[:40]]
    lines = [json.dumps({"text": text}) for text in texts] if name.endswith("jsonl") else texts
    (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    done = run("export", trained, "--out", tmp_path / "b", "--data", tmp_path / name, "--max-churn", "0.5", *EXPORT)
    assert done.exit_code == 0, done.output
    assert f"{name} (test) is text without labels: 40 sentences read as" in done.stderr
    record = json.loads((tmp_path / "b" / MANIFEST).read_text(encoding="utf-8"))["provenance"]["evaluation"]
    assert record["sentences"] == 40 and record["entities"] == 0
    refused = run("evaluate", trained, "--data", tmp_path / name)
    assert refused.exit_code == 2 and "is text without labels" in refused.stderr and "--max-churn" in refused.stderr
    refused = run("train", "--data", tmp_path / name, "--cut", "80/10/10", "--out", tmp_path / "c")
    assert refused.exit_code == 2 and "is text without labels" in refused.stderr


def test_text_without_labels_has_no_f1_in_a_benchmark(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("The pump leaks.\nValve stuck\n")
    (dataset,) = read_splits(DataSpec(str(tmp_path / "texts.txt"))).values()
    texts = labelled_texts(dataset)["texts"]
    assert [(text.text, text.entities) for text in texts] == [("The pump leaks.", None), ("Valve stuck", None)]


@pytest.fixture
def answered(test_set: Dataset, tmp_path: Path) -> Path:
    """The test set as Prodigy writes it, every fourth record rejected."""
    file = tmp_path / "answered.jsonl"
    records = []
    for number, sentence in enumerate(test_set.sentences):
        starts = [start for start, _ in sentence.offsets]
        ends = [end for _, end in sentence.offsets]
        spans = [{"start": starts[s.start], "end": ends[s.end - 1], "label": s.label} for s in sentence.spans]
        records.append({"text": sentence.text, "spans": spans, "answer": "accept" if number % 4 else "reject"})
    file.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return file


def test_training_records_what_was_left_out_of_each_split(trained: Path) -> None:
    record = json.loads((trained / "edgener.json").read_text(encoding="utf-8"))
    assert {split: (data["left_out"], data["changed"]) for split, data in record["data"].items()} == {
        split: ({}, {}) for split in ("train", "valid", "test")
    }


def test_what_is_left_out_is_printed_and_recorded_by_every_command(
    trained: Path, answered: Path, tmp_path: Path
) -> None:
    found = evaluated(trained, answered)
    assert found["data"]["left_out"] == {"records rejected": 30} and found["data"]["sentences"] == 90
    done = run("evaluate", trained, "--data", answered)
    assert f"note: {answered} (test): left out: 30 records rejected" in done.stderr
    done = run("data", "inspect", "--data", answered, "--json")
    assert json.loads(done.stdout)["splits"][0]["left_out"] == {"records rejected": 30}
    assert "records rejected" in run("data", "inspect", "--data", answered).stdout
    done = run("export", trained, "--out", tmp_path / "b", "--data", answered, "--max-f1-drop", "0.5", *EXPORT)
    assert done.exit_code == 0 and "left out: 30 records rejected" in done.stderr
    manifest = json.loads((tmp_path / "b" / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["provenance"]["evaluation"]["left_out"] == {"records rejected": 30}


@pytest.mark.parametrize("command", ["evaluate", "data inspect", "export", "train"])
def test_strict_data_is_an_error_where_anything_is_left_out(
    trained: Path, answered: Path, tmp_path: Path, command: str
) -> None:
    arguments = {
        "evaluate": ["evaluate", trained],
        "data inspect": ["data", "inspect"],
        "train": ["train", "--out", tmp_path / "c"],
        "export": ["export", trained, "--out", tmp_path / "b"],
    }[command]
    done = run(*arguments, "--data", answered, "--strict-data")
    assert done.exit_code == 2
    assert "answered.jsonl is not read whole: 30 records rejected" in done.stderr and "Traceback" not in done.output


def test_labelled_data_without_an_entity_is_warned_of(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("Pump O\nleaks O\n\nok O\n")
    for arguments in (["evaluate", trained], ["data", "inspect"]):
        done = run(*arguments, "--data", tmp_path / "a.conll")
        assert done.exit_code == 0, done.output
        assert "a.conll" in done.stderr and "has no entities: 2 sentences read as conll" in done.stderr


def orders(seed: int, count: int) -> list[list[tuple[str, str]]]:
    """Chinese orders in parts, each with its label or O."""
    random = Random(seed)
    return [
        [
            (f"{random.randint(1950, 2029)}年", "DATE"),
            (random.choice(("水泵", "阀门", "风机", "电机")), "EQ"),
            (random.choice(("漏油", "过热", "停机", "异响")), "FAULT"),
            ("。", "O"),
        ]
        for _ in range(count)
    ]


def as_characters(parts: list[tuple[str, str]]) -> str:
    tags = [(char, f"{'I' if at else 'B'}-{label}") for text, label in parts for at, char in enumerate(text)]
    return "".join(f"{char}\t{'O' if tag == 'B-O' else tag}\n" for char, tag in tags)


def as_text(parts: list[tuple[str, str]]) -> str:
    ends = [sum(len(text) for text, _ in parts[: number + 1]) for number in range(len(parts))]
    spans = [[end - len(text), end, label] for end, (text, label) in zip(ends, parts, strict=True) if label != "O"]
    return json.dumps({"text": "".join(text for text, _ in parts), "entities": spans})


def test_a_model_that_learnt_chinese_characters_is_as_good_on_the_texts_of_a_device(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    for split, seed, count in (("train", 0, 160), ("valid", 1, 20), ("test", 2, 40)):
        text = "\n".join(map(as_characters, orders(seed, count)))
        (tmp_path / f"{split}.conll").write_text(text, encoding="utf-8")
    (tmp_path / "raw.jsonl").write_text("\n".join(map(as_text, orders(2, 40))), encoding="utf-8")
    sentences = read_splits(DataSpec(str(tmp_path)))["test"].sentences
    assert [sentence.text for sentence in sentences] == ["".join(text for text, _ in parts) for parts in orders(2, 40)]
    settings = ("--model", tiny_encoder, "--epochs", 5, "--learning-rate", "0.003", "--threads", 1)
    done = run("train", "--data", tmp_path, "--out", tmp_path / "checkpoint", *settings)
    assert done.exit_code == 0, done.output
    by_character = evaluated(tmp_path / "checkpoint", tmp_path / "test.conll")["entities"]
    assert by_character["micro"]["f1"] > 0.9
    assert evaluated(tmp_path / "checkpoint", tmp_path / "raw.jsonl")["entities"] == by_character


def test_data_options_go_into_a_script_and_back() -> None:
    spec = DataSpec(
        "a", label_names=("O", "B-a, b"), map_labels=(("A", "B"), ("C=D", "O")), strict_data=True, cut=(8, 1, 1)
    )
    seen = []
    command = data_options(lambda data: seen.append(data))
    words = ["--data", "a", *option_arguments(data_settings(spec))]
    assert CliRunner().invoke(click.command()(command), words).exit_code == 0
    assert seen == [spec]


def test_numbers_are_named_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"tokens": ["Pump", "leaks"], "ner_tags": [1, 2]}\n')
    refused = run("data", "inspect", "--data", tmp_path / "a.jsonl")
    assert refused.exit_code == 2 and "--label-names O,B-PER,I-PER" in refused.stderr
    done = run("data", "inspect", "--data", tmp_path / "a.jsonl", "--label-names", "O,B-EQ,B-F", "--json")
    assert json.loads(done.stdout)["splits"][0]["labels"] == {"EQ": 1, "F": 1}
