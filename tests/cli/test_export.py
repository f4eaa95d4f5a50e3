"""`edgener export`: budgets, verdicts and exit codes, as a release pipeline sees them."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgener import pipeline
from edgener.cli.main import main
from edgener.data.types import Dataset, Sentence
from edgener_exporters.architectures import ARCHITECTURES
from edgener_exporters.graph.graph import save_graph
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.variants import SETS, VARIANTS, Variant
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.bundle.signatures import policy
from edgener_runtime.bundle.slim import slim
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import ExportError

LABELLED = 60  # sentences
COMMITTED = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "bundle"


def same(fp32: Path, out: Path, calibration: object) -> None:
    """A form that loses nothing."""
    shutil.copy(fp32, out)


def silent(fp32: Path, out: Path, calibration: object) -> None:
    """A form that finds nothing: every subword is O."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(fp32)
    (bias,) = (tensor for tensor in model.graph.initializer if tensor.name.endswith("classifier.bias"))
    values = numpy_helper.to_array(bias).copy()
    values[0] += 100
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    save_graph(model, out)


def broken(fp32: Path, out: Path, calibration: object) -> None:
    """A form that another library fails to build, half of it written."""
    out.write_bytes(b"half")
    raise RuntimeError("planted")


PLANTED = {"same": same, "silent": silent, "broken": broken}


@pytest.fixture(scope="module")
def fp32(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("graph") / "fp32.onnx"
    export_onnx(trained, file)
    return file


@pytest.fixture(autouse=True)
def planted(fp32: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more variants whose verdicts are certain, and the FP32 graph made once for all tests."""
    for name, build in PLANTED.items():
        variant: Variant = replace(VARIANTS["int8-dynamic"], name=name, build=build)
        monkeypatch.setitem(VARIANTS, name, variant)
    monkeypatch.setattr(pipeline, "export_onnx", lambda checkpoint, out, exporter: shutil.copy(fp32, out) and ())


def write(file: Path, sentences: tuple[Sentence, ...], labels: tuple[str, ...]) -> Path:
    """JSON Lines of the sentences, with the entities of those labels."""
    lines = []
    for sentence in sentences:
        entities = [
            {"start": sentence.offsets[span.start][0], "end": sentence.offsets[span.end - 1][1], "label": span.label}
            for span in sentence.spans
            if span.label in labels
        ]
        lines.append(json.dumps({"text": sentence.text, "entities": entities}) + "\n")
    file.write_text("".join(lines), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def test_set(small_factory: dict[str, Dataset]) -> Dataset:
    whole = small_factory["test"]
    return replace(whole, sentences=whole.sentences[:LABELLED])


@pytest.fixture(scope="module")
def data(test_set: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "test.jsonl", test_set.sentences, test_set.labels)


@pytest.fixture(scope="module")
def unlabelled(test_set: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "production.jsonl", test_set.sentences, ())


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def judgements(done: Result) -> dict[tuple[str, str | None], dict[str, Any]]:
    """What the gate said of the one variant, but of masks."""
    (report,) = json.loads(done.stdout)["parity"]
    found = {(judged["figure"], judged["label"]): judged for judged in report["judgements"]}
    return {key: judged for key, judged in found.items() if key[0] != "masks"}


def verdicts(done: Result) -> dict[tuple[str, str | None], str]:
    return {key: judged["verdict"] for key, judged in judgements(done).items()}


def check_nothing_written(folder: Path, done: Result) -> None:
    assert not (folder / "out").exists() and "Traceback" not in done.output


# --- exit 0


def test_a_variant_that_keeps_every_budget_is_exit_0_and_a_bundle(trained: Path, data: Path, tmp_path: Path) -> None:
    budgets = ["--max-f1-drop", 0, "--gate", 100, "--max-churn", 0, "--max-churn", "each=0", "--max-batch-effect", 0]
    done = run(trained, "--out", tmp_path / "out", "--data", data, "--variant", "same", *budgets, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["bundle"] == str(tmp_path / "out")
    labels = verify_bundle(tmp_path / "out").labels
    each = {("churn", label[2:]) for label in labels if label != "O"}
    expected = {("f1_drop", None), ("f1_share", None), ("churn", None), ("batch_effect", None)} | each
    assert verdicts(done) == dict.fromkeys(expected, "pass")  # a demand on this very text, so there is always a verdict


def test_the_table_shows_figures_and_where_the_bundle_stands(trained: Path, data: Path, tmp_path: Path) -> None:
    done = run(trained, "--out", tmp_path / "out", "--data", data, "--variant", "fp32")
    assert done.exit_code == 0, done.output
    for word in ("fp32", "pass", "churn", f"bundle: {tmp_path / 'out'}"):
        assert word in done.stdout


def test_the_table_with_the_longest_name_of_a_variant_fits_80_columns(
    trained: Path, data: Path, tmp_path: Path
) -> None:
    done = run(
        trained, "--out", tmp_path / "out", "--data", data, "--variant", "fp32,int8-weight-only", "--max-churn", 1
    )
    table = done.stdout.partition("label scheme")[0].splitlines()
    assert any(line.startswith("int8-weight-only  ") for line in table), done.output
    assert max(map(len, table)) <= 80


def test_the_options_stand_in_the_script_that_makes_the_bundle_again(trained: Path, data: Path, tmp_path: Path) -> None:
    budgets = ["--max-f1-drop", "COMPONENT=0", "--gate", "100", "--max-churn", "0", "--max-batch-effect", "0"]
    assert run(trained, "--out", tmp_path / "out", "--data", data, "--variant", "same", *budgets).exit_code == 0
    script = (tmp_path / "out" / "reproduce.sh").read_text()
    for option, number in zip(budgets[::2], budgets[1::2], strict=True):
        assert f" {option} {number} " in script


# --- exit 3

FAILED = {
    ("--max-f1-drop", "0.1"): ("f1_drop", None),
    ("--max-f1-drop", "COMPONENT=0.1"): ("f1_drop", "COMPONENT"),
    ("--gate", "99"): ("f1_share", None),
    ("--gate", "99.9"): ("f1_share", None),
    ("--gate", "COMPONENT=99"): ("f1_share", "COMPONENT"),
    ("--max-churn", "0.1"): ("churn", None),
    ("--max-churn", "COMPONENT=0.1"): ("churn", "COMPONENT"),
    ("--max-churn", "each=0.1"): ("churn", "COMPONENT"),
}


def test_a_variant_that_finds_nothing_fails_by_every_option(trained: Path, data: Path, tmp_path: Path) -> None:
    options = [word for option in FAILED for word in option]
    done = run(trained, "--out", tmp_path / "out", "--data", data, "--variant", "silent", *options, "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["bundle"] is None
    found = verdicts(done)
    assert {key: found[key] for key in FAILED.values()} == dict.fromkeys(FAILED.values(), "fail")
    assert "silent lost 100.00% of PyTorch's entity F1" in done.stderr
    assert "silent changed 50.00% of the entities" in done.stderr  # all of them are lost, and each counts half
    assert "Leave the variant out, or raise its budget" in done.stderr
    check_nothing_written(tmp_path, done)


@pytest.mark.parametrize("option", [("--gate", "99"), ("--max-churn", "COMPONENT=0.1")])
def test_one_budget_that_is_not_kept_is_enough(
    trained: Path, data: Path, tmp_path: Path, option: tuple[str, str]
) -> None:
    loose = [] if option[0] == "--gate" else ["--max-f1-drop", 1]
    done = run(trained, "--out", tmp_path / "out", "--data", data, "--variant", "silent", *option, *loose, "--json")
    assert done.exit_code == 3
    assert [key for key, verdict in verdicts(done).items() if verdict == "fail"] == [FAILED[option]]
    check_nothing_written(tmp_path, done)


def test_dynamic_quantisation_answers_otherwise_in_a_batch(trained: Path, data: Path, tmp_path: Path) -> None:
    options = ["--max-f1-drop", 1, "--max-batch-effect", 0, "--json"]
    done = run(trained, "--out", tmp_path / "out", "--data", data, "--variant", "int8-dynamic", *options)
    assert done.exit_code == 3
    assert verdicts(done) == {("f1_drop", None): "pass", ("batch_effect", None): "fail"}
    assert "of the entities with the batch" in done.stderr
    check_nothing_written(tmp_path, done)


def test_one_variant_of_several_is_enough_and_the_figures_of_all_are_printed(
    trained: Path, data: Path, tmp_path: Path
) -> None:
    options = ["--variant", "same,silent", "--max-churn", 0, "--max-f1-drop", 1, "--json"]
    done = run(trained, "--out", tmp_path / "out", "--data", data, *options)
    assert done.exit_code == 3
    verdicts = {report["variant"]: report["verdict"] for report in json.loads(done.stdout)["parity"]}
    assert verdicts == {"same": "pass", "silent": "fail"}
    check_nothing_written(tmp_path, done)


def test_of_a_set_what_is_left_out_is_listed_with_its_reason(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETS, "all", ("same", "silent"))
    done = run(trained, "--out", tmp_path / "out", "--data", data, "--variant", "all", "--max-churn", 0,
               "--max-f1-drop", 1)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert [entry.name for entry in verify_bundle(tmp_path / "out").variants] == ["same"]
    printed = " ".join(done.stdout.split())
    assert "left out (fail): silent changed 50.00% of the entities" in printed and "left out (pass)" not in printed


def test_of_a_set_what_cannot_be_built_is_left_out_with_its_reason(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETS, "all", ("same", "broken"))
    arguments = [trained, "--out", tmp_path / "out", "--data", data, "--variant", "all", "--max-f1-drop", 0]
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert "left out (not built): broken: RuntimeError: planted" in " ".join(done.stdout.split())
    manifest = verify_bundle(tmp_path / "out")
    assert [entry.name for entry in manifest.variants] == ["same"]
    assert manifest.provenance["not_built"] == {"broken": "RuntimeError: planted"}
    assert {file.name for file in (tmp_path / "out" / "variants").iterdir()} == {"same.json", "same.onnx"}
    assert json.loads(run(*arguments, "--json").stdout)["not_built"] == {"broken": "RuntimeError: planted"}


def test_a_named_variant_that_cannot_be_built_refuses_the_bundle(trained: Path, data: Path, tmp_path: Path) -> None:
    done = run(trained, "--out", tmp_path / "out", "--data", data, "--variant", "same,broken", "--max-churn", 0)
    assert done.exit_code == 1
    assert "broken cannot be built: RuntimeError: planted" in done.stderr
    check_nothing_written(tmp_path, done)


def test_a_set_goes_without_mixed_where_the_search_cannot_build_a_kernel(
    trained: Path, small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise ExportError("planted")

    monkeypatch.setattr("edgener.search.search_precision", fail)
    arguments = [trained, "--out", tmp_path / "out", "--data", small_data, "--variant"]
    done = run(*arguments, "auto")
    assert done.exit_code == 0, done.output
    assert "left out (not built): mixed: planted" in " ".join(done.stdout.split())
    assert [entry.name for entry in verify_bundle(tmp_path / "out").variants] == ["fp32"]
    assert run(*arguments, "mixed,fp32").exit_code == 1


# --- architectures


def of_another_architecture(trained: Path, folder: Path, name: str | None) -> Path:
    shutil.copytree(trained, folder)
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = name
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_what_a_user_should_know_of_the_graph_is_in_output_and_manifest(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = pipeline.export_onnx
    monkeypatch.setattr(pipeline, "export_onnx", lambda *arguments: (*copied(*arguments), "shapes are computed"))
    arguments = [trained, "--out", tmp_path / "out", "--data", data, "--variant", "fp32"]
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert "note: shapes are computed" in done.stdout
    assert verify_bundle(tmp_path / "out").provenance["notes"] == ["shapes are computed"]
    assert json.loads(run(*arguments, "--json").stdout)["notes"] == ["shapes are computed"]


@pytest.mark.parametrize("name", ["longformer", "fnet", "of-my-own", None])
def test_an_unsupported_architecture_is_rejected_by_name_before_anything_runs(
    name: str | None, trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "open_checkpoint", lambda path, labels: pytest.fail("the checkpoint was opened"))
    checkpoint = of_another_architecture(trained, tmp_path / "checkpoint", name)
    for variants in ("fp32", "all", "auto"):
        done = run(checkpoint, "--out", tmp_path / "out", "--data", data, "--variant", variants)
        assert done.exit_code == 2, done.output
        assert f"architecture {name or 'None'!r}" in done.stderr and "--untested" in done.stderr
        assert all(row in done.stderr for row in ARCHITECTURES)
        check_nothing_written(tmp_path, done)


def test_untested_tries_it_and_the_bundle_says_so(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {name: row for name, row in ARCHITECTURES.items() if name != "bert"}  # its place in the table is kept
    monkeypatch.setattr("edgener_exporters.architectures.ARCHITECTURES", others)
    arguments = [trained, "--out", tmp_path / "out", "--data", data, "--variant", "fp32"]
    assert run(*arguments).exit_code == 2
    done = run(*arguments, "--untested")
    assert done.exit_code == 0, done.output
    assert "untested: no test of edgener covers bert models" in " ".join(done.stdout.split())
    manifest = verify_bundle(tmp_path / "out")
    assert (manifest.architecture, manifest.untested) == ("bert", True)
    assert " --untested" in (tmp_path / "out" / "reproduce.sh").read_text()


def test_untested_changes_nothing_for_a_supported_one(trained: Path, data: Path, tmp_path: Path) -> None:
    done = run(trained, "--out", tmp_path / "out", "--data", data, "--variant", "fp32", "--untested")
    assert done.exit_code == 0, done.output
    manifest = verify_bundle(tmp_path / "out")
    assert (manifest.architecture, manifest.untested) == ("bert", False)


def test_a_setting_that_makes_another_model_is_rejected_with_advice(trained: Path, data: Path, tmp_path: Path) -> None:
    checkpoint = of_another_architecture(trained, tmp_path / "checkpoint", "big_bird")  # block_sparse by default
    done = run(checkpoint, "--out", tmp_path / "out", "--data", data, "--variant", "fp32")
    assert done.exit_code == 2
    assert "attention_type" in done.stderr and "original_full" in done.stderr


def test_a_variant_that_the_architecture_refuses_is_bad_input_by_name_and_left_out_of_a_set(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = replace(ARCHITECTURES["bert"], refused={"silent": "a planted reason"})
    monkeypatch.setitem(ARCHITECTURES, "bert", row)
    arguments = [trained, "--out", tmp_path / "out", "--data", data, "--max-f1-drop", 0, "--variant"]
    done = run(*arguments, "same,silent")
    assert done.exit_code == 2
    assert "silent cannot be built from BERT: a planted reason" in done.stderr
    check_nothing_written(tmp_path, done)
    monkeypatch.setitem(SETS, "all", ("same", "silent"))
    done = run(*arguments, "all")
    assert done.exit_code == 0, done.output
    assert "left out (not built): silent: a planted reason" in " ".join(done.stdout.split())


# --- exit 4


def test_too_little_text_is_exit_4_and_the_text_that_it_asks_for_is_enough(
    trained: Path, test_set: Dataset, data: Path, tmp_path: Path
) -> None:
    arguments = [trained, "--out", tmp_path / "out", "--variant", "same", "--max-f1-drop", 0.005, "--json"]
    done = run(*arguments, "--data", data)
    assert done.exit_code == 4
    (judged,) = judgements(done).values()
    asked = re.search(r"(\d+) entities are too few for a verdict, about ([\d,]+) are enough", done.stderr)
    assert asked and "Judge on more text" in done.stderr
    entities, needed = (int(number.replace(",", "")) for number in asked.groups())
    assert (entities, needed) == (sum(test_set.entity_counts.values()), judged["needed"])
    assert needed > entities
    check_nothing_written(tmp_path, done)

    enough = write(tmp_path / "more.jsonl", test_set.sentences * -(-needed // entities), test_set.labels)
    assert run(*arguments, "--data", enough).exit_code == 0


def test_without_an_option_half_a_point_of_f1_may_be_lost(trained: Path, data: Path, tmp_path: Path) -> None:
    done = run(trained, "--out", tmp_path / "out", "--data", data, "--variant", "same", "--json")
    assert {key: judged["limit"] for key, judged in judgements(done).items()} == {("f1_drop", None): 0.005}


@pytest.mark.parametrize("option", [("--max-f1-drop", "LOCATION=0.1"), ("--gate", "LOCATION=99")])
def test_a_label_without_an_entity_in_the_test_set_says_so(
    trained: Path, test_set: Dataset, tmp_path: Path, option: tuple[str, str]
) -> None:
    others = tuple(label for label in test_set.labels if label != "LOCATION")
    data = write(tmp_path / "data.jsonl", test_set.sentences, others)
    options = ["--variant", "same", "--max-f1-drop", 0, *option, "--json"]
    done = run(trained, "--out", tmp_path / "out", "--data", data, *options)
    assert done.exit_code == 4
    assert f"same: {option[0]} of LOCATION cannot be judged, the text has no such entity" in done.stderr
    (nobody,) = (judged for key, judged in judgements(done).items() if key[1] == "LOCATION")
    assert (nobody["loss"], nobody["needed"], nobody["entities"]) == (None, None, 0)
    check_nothing_written(tmp_path, done)


# --- text without labels


@pytest.mark.parametrize(("variant", "code", "verdict"), [("same", 0, "pass"), ("silent", 3, "fail")])
def test_unlabelled_text_is_judged_by_churn_alone(
    trained: Path, unlabelled: Path, tmp_path: Path, variant: str, code: int, verdict: str
) -> None:
    options = ["--variant", variant, "--max-churn", 0.1, "--json"]
    done = run(trained, "--out", tmp_path / "out", "--data", unlabelled, *options)
    assert done.exit_code == code, done.output
    assert verdicts(done) == {("churn", None): verdict}
    (report,) = json.loads(done.stdout)["parity"]
    assert report["figures"]["f1"] is None and report["scores"] is None
    assert (tmp_path / "out").exists() is (code == 0)


def test_fp32_on_unlabelled_text_needs_no_budget(trained: Path, unlabelled: Path, tmp_path: Path) -> None:
    done = run(trained, "--out", tmp_path / "out", "--data", unlabelled, "--variant", "fp32", "--json")
    assert done.exit_code == 0, done.output
    assert verdicts(done) == {("labels", None): "pass"}


def test_where_pytorch_finds_nothing_every_variant_is_inconclusive(
    trained: Path, fp32: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that says O to everything, and the variant that does so too."""
    from safetensors.numpy import load_file, save_file

    checkpoint = shutil.copytree(trained, tmp_path / "checkpoint")
    weights = load_file(checkpoint / "model.safetensors")
    weights["classifier.bias"][0] += 100
    save_file(weights, checkpoint / "model.safetensors", {"format": "pt"})
    options = ["--variant", "silent", "--max-churn", 0.1, "--gate", 99, "--json"]
    done = run(checkpoint, "--out", tmp_path / "out", "--data", data, *options)
    assert done.exit_code == 4
    assert set(verdicts(done).values()) == {"inconclusive"}
    assert "--max-churn cannot be judged, PyTorch finds no such entity in the text" in done.stderr
    assert "--gate cannot be judged, PyTorch gets no such entity right" in done.stderr
    check_nothing_written(tmp_path, done)


# --- slim


def test_slim_writes_what_the_runtime_makes_of_the_whole(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same export; also where this machine requires signatures, which what is not finished cannot have."""
    monkeypatch.setattr(policy, "DEVICE_POLICY", data)  # a file that permits nothing
    words = (trained, "--variant", "fp32,same", "--data", data, "--max-f1-drop", 1)
    done = run(*words, "--out", tmp_path / "whole")
    assert done.exit_code == 0 and "report: " in done.stdout, done.output
    first = read_manifest(tmp_path / "whole").variants[0].name
    slim(tmp_path / "whole", first, tmp_path / "expected")
    done = run(*words, "--out", tmp_path / "out", "--slim", "--timings", tmp_path / "whole")
    assert done.exit_code == 0 and "report: " not in done.stdout, done.output
    assert files(tmp_path / "out") == files(tmp_path / "expected")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["expected", "out", "whole"]
    done = run(*words, "--out", tmp_path / "out", "--slim", "--timings", tmp_path / "whole", "--json")
    assert [entry["name"] for entry in json.loads(done.stdout)["variants"]] == [first]


def files(bundle: Path) -> dict[str, bytes]:
    return {path.relative_to(bundle).as_posix(): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("variant", "code"), [("silent", 3), ("fp32,broken", 1)])
def test_a_slim_export_that_fails_leaves_the_bundle_that_was_there(
    variant: str, code: int, trained: Path, data: Path, tmp_path: Path
) -> None:
    shutil.copytree(COMMITTED, tmp_path / "out")
    before = files(tmp_path / "out")
    done = run(trained, "--variant", variant, "--data", data, "--out", tmp_path / "out", "--slim")
    assert done.exit_code == code and "Traceback" not in done.output, done.output
    assert files(tmp_path / "out") == before and list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_slim_wants_a_variant_for_devices_without_the_operators(data: Path, tmp_path: Path) -> None:
    done = run("checkpoint", "--data", data, "--out", tmp_path / "out", "--slim", "--variant", "int8-native")
    assert done.exit_code == 2 and "--variant int8-native,fp32" in done.stderr, done.output
