"""`edgener evaluate`: tables, JSON, pictures, errors and exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "mine.jsonl"
    records = [
        {"text": "Bearing of pump P-101 worn", "entities": [{"start": 0, "end": 7, "label": "COMPONENT"}]},
        {"text": "Grüße aus Halle 3", "entities": []},
    ]
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def test_tables_show_entities_and_tags_with_their_averages(trained: Path, data: Path) -> None:
    done = run(trained, "--data", data)
    assert done.exit_code == 0, done.output
    for word in ("entities", "tokens", "COMPONENT", "B-COMPONENT", "micro without O", "weighted", "support", "PyTorch"):
        assert word in done.stdout


def test_the_calibration_error_is_shown_before_and_after_the_temperature(trained: Path, small_data: Path) -> None:
    done = run(trained, "--data", small_data)
    assert done.exit_code == 0, done.output
    assert "ECE before" in done.stdout and "ECE after" in done.stdout
    assert "fitted on valid.jsonl (valid)" in done.stdout


def test_without_a_valid_split_the_calibration_error_has_no_temperature(trained: Path, data: Path) -> None:
    done = run(trained, "--data", data)
    assert "no temperature: the data has no labelled valid split to fit a temperature on" in done.stdout
    found = json.loads(run(trained, "--data", data, "--json").stdout)["reliability"]
    assert found["temperature"] is None and found["tokens"]["after"] is None and found["tokens"]["before"]["count"] > 4


def test_json_is_all_that_stands_on_stdout(trained: Path, data: Path) -> None:
    done = run(trained, "--data", data, "--json")
    scores = json.loads(done.stdout)
    assert scores["data"]["sentences"] == 2
    assert scores["entities"]["labels"]["COMPONENT"]["support"] == 1
    assert scores["tokens"]["tags"]["B-COMPONENT"]["support"] == 1


def test_a_bundle_runs_the_variant_that_was_asked_for(exported: Path, data: Path) -> None:
    for asked, runs in (("auto", "int8-dynamic"), ("fp32", "fp32")):
        done = run(exported, "--data", data, "--variant", asked, "--json")
        assert json.loads(done.stdout)["runs"] == f"{runs} on CPUExecutionProvider"


def test_out_gets_json_and_pictures_and_their_names_are_printed(trained: Path, data: Path, tmp_path: Path) -> None:
    done = run(trained, "--data", data, "--out", tmp_path / "scores")
    names = ["confusion.png", "evaluation.json", "reliability.png", "reliability.svg", "training.png"]
    assert sorted(path.name for path in (tmp_path / "scores").iterdir()) == names
    assert all(name in done.stdout for name in names)
    assert json.loads((tmp_path / "scores" / "evaluation.json").read_text())["runs"] == "PyTorch"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere", "--data", "builtin:factory"], 2, "neither a checkpoint"),
        (["{trained}", "--data", "nowhere.txt"], 2, "there is no file nowhere.txt"),
        (["{trained}", "--data", "builtin:factory", "--split", "half"], 2, "half"),
        (["{trained}"], 2, "--data"),
        (["{changed}", "--data", "{data}"], 5, "tokenizer.json has 2 bytes"),
        (["{halved}", "--data", "{data}"], 2, "cannot be loaded"),
    ],
)
def test_errors_say_what_is_wrong_and_exit_with_their_code(
    trained: Path, exported: Path, data: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    folders = {"trained": trained, "exported": exported, "data": data}
    folders["changed"] = shutil.copytree(exported, tmp_path / "changed")
    (folders["changed"] / "tokenizer.json").write_bytes(b"{}")
    folders["halved"] = shutil.copytree(trained, tmp_path / "halved")
    (folders["halved"] / "model.safetensors").write_bytes((trained / "model.safetensors").read_bytes()[:5000])
    done = run(*(argument.format(**folders) for argument in arguments))
    assert done.exit_code == code, done.output
    assert message in done.stderr
    assert "Traceback" not in done.output
    assert done.stdout == ""


def test_documents_are_scored_in_windows_where_the_data_marks_them(
    trained: Path, exported: Path, tmp_path: Path
) -> None:
    words = "Bearing B-COMPONENT\nof O\npump O\nworn O\n"
    marked, unmarked = tmp_path / "marked.txt", tmp_path / "unmarked.txt"
    unmarked.write_text("\n".join([words] * 6))
    marked.write_text(f"-DOCSTART- O\n\n{unmarked.read_text()}\n-DOCSTART- O\n\n{words}\n{words}")
    for model in (trained, exported):
        done = run(model, "--data", marked)
        assert done.exit_code == 0, done.output
        assert "sentences" in done.stdout and "2 windows of at most 256 subwords" in " ".join(done.stdout.split())
        found = json.loads(run(model, "--data", marked, "--json").stdout)
        assert found["data"]["sentences"] == 8 and found["documents"]["windows"] == 2
        assert found["documents"]["entities"]["micro"]["support"] == found["entities"]["micro"]["support"] == 8
    done = run(trained, "--data", unmarked)
    assert done.exit_code == 0 and "windows" not in done.stdout
    assert json.loads(run(trained, "--data", unmarked, "--json").stdout)["documents"] is None


def test_strange_labels_are_exit_2(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "planets.txt"
    file.write_text("Mars B-PLANET\n")
    done = run(trained, "--data", file)
    assert done.exit_code == 2
    assert "the model does not know: PLANET" in done.stderr
