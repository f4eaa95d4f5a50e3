"""The entities that each variant of the test bundle finds in the golden texts, a JSON object a line.

python tools/arm64/entities.py runtime/tests
"""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
from pathlib import Path

from edgener_runtime import TokenClassifier
from edgener_runtime.bundle.manifest import read_manifest


def main(tests: Path) -> None:
    """Write them to stdout."""
    lines = (tests / "golden.jsonl").read_text(encoding="utf-8").split("\n")
    texts = [json.loads(line)["text"] for line in lines if line]
    for variant in read_manifest(tests / "bundle").variants:
        with TokenClassifier.load(tests / "bundle", "cpu", variant.name) as classifier:
            for text in texts:  # each alone: what is compared is the machine, not the batch
                entities = [dataclasses.asdict(entity) for entity in classifier.predict(text)]
                record = {"variant": variant.name, "machine": platform.machine(), "text": text, "entities": entities}
                print(json.dumps(record))  # noqa: T201 - a program's output


main(Path(sys.argv[1]))
