"""`edgener data pre-annotate`: a bundle's answers as tasks, and wrong calls."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from edgener.cli.main import main
from edgener_runtime import TokenClassifier

BUNDLE = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "bundle"
TEXT = "Pump P-101 leaks at the seal"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["data", "pre-annotate", str(BUNDLE), *map(str, arguments)])


def test_a_label_queue_becomes_tasks_with_the_answers_of_the_bundle(tmp_path: Path) -> None:
    queue, out = tmp_path / "queue.jsonl", tmp_path / "tasks.jsonl"
    queue.write_text(json.dumps({"text": TEXT, "certainty": 0.02, "bundle_version": "01"}) + "\n")
    done = run("--input", queue, "--tool", "prodigy", "--out", out, "--device", "cpu", "--variant", "fp32")
    assert done.exit_code == 0, done.output
    with TokenClassifier.load(BUNDLE, "cpu", "fp32") as classifier:
        expected = [(entity.start, entity.end, entity.label) for entity in classifier.predict(TEXT)]
    (task,) = map(json.loads, out.read_text().splitlines())
    assert [(span["start"], span["end"], span["label"]) for span in task["spans"]] == expected
    assert f"1 tasks for prodigy, {len(expected)} entities" in done.stderr


def test_a_file_without_texts_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    for name, message in (("empty.txt", "has no texts"), ("none.txt", "cannot read")):
        done = run("--input", tmp_path / name, "--tool", "doccano", "--out", tmp_path / "tasks.jsonl")
        assert done.exit_code == 2 and message in done.stderr
    assert not (tmp_path / "tasks.jsonl").exists()
