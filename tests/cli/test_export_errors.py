"""`edgener export`: what cannot be meant or read is exit 2, says why, and leaves nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main

TEXTS = ("Bearing of pump P-101 worn", "Seal of pump P-102 leaks")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "test.jsonl"
    file.write_text("".join(record(text, {"start": 0, "end": 4, "label": "COMPONENT"}) for text in TEXTS))
    return file


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "production.jsonl"
    file.write_text("".join(record(text) for text in TEXTS))
    return file


def record(text: str, *entities: dict[str, object]) -> str:
    return json.dumps({"text": text, "entities": entities}) + "\n"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def check_nothing_written(folder: Path, done: Result) -> None:
    assert not (folder / "out").exists() and "Traceback" not in done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-f1-drop", "-0.1"], "--max-f1-drop is -0.1, expected a share from 0 to 1"),
        (["--max-f1-drop", "1.1"], "--max-f1-drop is 1.1, expected a share from 0 to 1"),
        (["--max-churn", "nan"], "--max-churn is nan, expected a share from 0 to 1"),
        (["--max-churn", "COMPONENT=2"], "--max-churn is 2.0, expected a share from 0 to 1"),
        (["--max-batch-effect", "-1"], "--max-batch-effect is -1.0"),
        (["--max-churn", "a lot"], "--max-churn is 'a lot'"),
        (["--max-churn", "COMPONENT="], "--max-churn is 'COMPONENT='"),
        (["--max-churn", ""], "--max-churn is ''"),
        (["--gate", "0.99"], "--gate is 0.99 %"),
        (["--gate", "101"], "--gate is 101 %"),
        (["--gate", "COMPONENT=-99"], "--gate is -99 %"),
        (["--max-churn", "PLANET=0.1"], "--max-churn names the label 'PLANET'"),
        (["--gate", "B-COMPONENT=99"], "--gate names the label 'B-COMPONENT'"),
        (["--max-batch-effect", "each=0.1"], "--max-batch-effect names the label 'each'"),
    ],
)
@pytest.mark.parametrize("variants", ["int8-dynamic,fp32", "fp32"])
def test_a_budget_that_cannot_be_meant_is_refused_before_anything_is_run(
    trained: Path, data: Path, tmp_path: Path, options: list[str], message: str, variants: str
) -> None:
    done = run(trained, "--out", tmp_path / "out", "--data", data, "--variant", variants, *options)
    assert done.exit_code == 2, done.output
    assert message in done.stderr and done.stdout == ""
    check_nothing_written(tmp_path, done)


def test_an_unknown_label_is_answered_with_those_there_are(trained: Path, data: Path, tmp_path: Path) -> None:
    done = run(trained, "--out", tmp_path / "out", "--data", data, "--max-churn", "PLANET=0.1")
    for label in ("ACTION", "COMPONENT", "EQUIPMENT", "FAULT", "LOCATION", "MEASUREMENT", "PART_NUMBER"):
        assert label in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-f1-drop", "0.1"], "no entities for the F1 of --max-f1-drop"),
        (["--gate", "99"], "no entities for the F1 of --gate"),
        (["--gate", "COMPONENT=99", "--max-churn", "0.1"], "no entities for the F1 of --gate"),
        ([], "there is no budget to judge"),
    ],
)
def test_f1_cannot_be_judged_on_unlabelled_text(
    trained: Path, unlabelled: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    done = run(trained, "--out", tmp_path / "out", "--data", unlabelled, "--variant", "int8-dynamic", *options)
    assert done.exit_code == 2
    assert message in done.stderr and "--max-churn 0.01" in done.stderr
    check_nothing_written(tmp_path, done)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--data", "{data}"], "nowhere is not a checkpoint"),
        (["{trained}", "--data", "nowhere.txt"], "there is no file nowhere.txt"),
        (["{trained}", "--data", "{data}", "--split", "half"], "half"),
        (["{trained}"], "--data"),
        (["{trained}", "--data", "{data}", "--variant", "int4"], "there is no variant 'int4'"),
        (["{trained}", "--data", "{data}", "--variant", " , "], "no variant was named"),
        (["{trained}", "--data", "{planets}"], "the model does not know: PLANET"),
        (["{halved}", "--data", "{data}"], "cannot be loaded"),
        (["{trained}", "--data", "{data}", "--variant", "fp16", "--calibration", "{data}"], "sentences are both in"),
        (["{trained}", "--data", "{data}", "--variant", "fp16", "--calibration", "{one}"], "1 different sentences"),
        (["{trained}", "--data", "{data}", "--exporter", "keras"], "keras"),
    ],
)
def test_bad_input_is_exit_2_with_what_is_wrong(
    trained: Path, data: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    files = {"trained": trained, "data": data, "planets": tmp_path / "planets.txt", "one": tmp_path / "one.jsonl"}
    files["planets"].write_text("Mars B-PLANET\n")
    files["one"].write_text(record("Pump P-999 stopped"))
    files["halved"] = shutil.copytree(trained, tmp_path / "halved")
    (files["halved"] / "model.safetensors").write_bytes((trained / "model.safetensors").read_bytes()[:5000])
    done = run(*(argument.format(**files) for argument in arguments), "--out", tmp_path / "out")
    assert done.exit_code == 2, done.output
    assert message in done.stderr and done.stdout == ""
    check_nothing_written(tmp_path, done)


def test_a_folder_that_is_not_a_bundle_is_not_replaced(trained: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = run(trained, "--out", tmp_path, "--data", data, "--variant", "fp32")
    assert done.exit_code == 2 and "so it is not replaced" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
