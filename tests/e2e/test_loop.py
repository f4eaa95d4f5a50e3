"""The loop of a model in use: device, queue, labels, update, gate, bundle."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main
from edgener_runtime import TokenClassifier
from edgener_runtime.base.files import sha256_of
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.monitoring.label_queue import LabelQueue

# Notes of a fleet of trucks, which the model of the factory has not seen.
TEMPLATES = (
    "driver says {FAULT} in {EQUIPMENT}",
    "{EQUIPMENT} back from the road, {FAULT}; {COMPONENT} {ACTION}",
    "fleet desk // {COMPONENT} {ACTION} // {EQUIPMENT}",
    "{ACTION} the {COMPONENT} of {EQUIPMENT} because {FAULT}",
)
WORDS = {
    "FAULT": ("clutch slips", "coolant on the floor", "battery dead", "headlight flickers", "brakes squeal"),
    "COMPONENT": ("gear stick", "radiator hose", "alternator", "headlamp", "tow bar", "windscreen"),
    "EQUIPMENT": ("van", "tanker", "forklift", "minibus", "trailer"),
    "ACTION": ("swapped", "bled", "welded", "topped up"),
}
Entities = set[tuple[int, int, str]]


def gold_texts(count: int) -> dict[str, Entities]:
    """Different texts with their entities."""
    random, found = Random(1), dict[str, Entities]()
    while len(found) < count:
        text, entities = "", set()
        for part in re.split(r"(\{\w+\})", random.choice(TEMPLATES)):
            label = part.strip("{}")
            words = random.choice(WORDS[label]) if part != label else part
            words += f" {random.randint(1, 99)}" if label == "EQUIPMENT" else ""
            if part != label:
                entities.add((len(text), len(text) + len(words), label))
            text += words
        found[text] = entities
    return found


def run(*words: object) -> Result:
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    return done


def annotated(task: dict[str, Any], gold: Entities) -> dict[str, Any]:
    """What Label Studio exports after an annotator has put the right entities in place of the predicted ones."""
    text = task["data"]["text"]
    results = [
        {
            "from_name": "label", "to_name": "text", "type": "labels",
            "value": {"start": start, "end": end, "text": text[start:end], "labels": [label]},
        }
        for start, end, label in sorted(gold)
    ]  # fmt: skip
    return {**task, "annotations": [{"result": results, "was_cancelled": False}]}


def right(bundle: Path, gold: dict[str, Entities]) -> int:
    """The number of entities that a bundle finds exactly."""
    with TokenClassifier.load(bundle, "cpu", "fp32") as classifier:
        answers = classifier.predict_batch(list(gold))
    return sum(
        len({(entity.start, entity.end, entity.label) for entity in found} & wanted)
        for found, wanted in zip(answers, gold.values(), strict=True)
    )


@pytest.mark.compat
def test_device_queue_labels_update_gate_bundle(
    trained: Path, exported: Path, small_data: Path, tmp_path: Path
) -> None:
    gold = gold_texts(180)
    queue, tasks, labels = (tmp_path / name for name in ("queue.jsonl", "tasks.json", "labels.json"))

    # the device answers, and keeps the texts that it is least certain of
    with TokenClassifier.load(exported, "cpu", "int8-dynamic") as classifier:
        waiting = LabelQueue(queue, most=150)
        classifier.monitor(queue=waiting)
        classifier.predict_batch(list(gold))
        waiting.flush()
    queued = [json.loads(line)["text"] for line in queue.read_text(encoding="utf-8").splitlines()]
    assert len(queued) == 150 and set(queued) <= gold.keys()

    # the bundle proposes entities, and an annotator corrects them
    run("data", "pre-annotate", exported, "--input", queue, "--tool", "label-studio", "--out", tasks, "--device", "cpu")
    proposed = json.loads(tasks.read_text(encoding="utf-8"))
    assert [task["data"]["text"] for task in proposed] == queued
    corrected = [annotated(task, gold[task["data"]["text"]]) for task in proposed]
    Random(2).shuffle(corrected)  # the queue has the least certain first, and the cut is in order
    labels.write_text(json.dumps(corrected), encoding="utf-8")

    # the model learns them, and keeps what it knew
    settings = tmp_path / "settings.yaml"
    settings.write_text("{epochs: 2, threads: 1}")
    updated = tmp_path / "updated"
    done = run("update", trained, "--new", labels, "--cut", "60/20/20", "--replay", small_data, "--config", settings,
               "--max-f1-drop", 0.05, "--out", updated, "--json")  # fmt: skip
    result = json.loads(done.stdout)
    assert result["verdict"] == "pass" and result["checkpoint"] == str(updated)
    assert result["new"]["f1_before"] < 0.5 < 0.7 < result["new"]["f1_after"]
    assert result["old"]["f1_difference"]["low"] >= -0.05

    # the bundle of the updated model passes the gate of the export, and answers
    bundle = tmp_path / "bundle"
    run("export", updated, "--data", small_data, "--variant", "fp32,int8-dynamic", "--max-f1-drop", 0.1,
        "--threads", 1, "--out", bundle)  # fmt: skip
    origin = read_manifest(bundle).provenance
    assert origin["training"]["update"]["gate"]["old"]["verdict"] == "pass"
    assert origin["training"]["update"]["parent"]["model.safetensors"] == sha256_of(trained / "model.safetensors")
    rest = {text: entities for text, entities in gold.items() if text not in queued}
    assert right(exported, rest) < right(bundle, rest)
