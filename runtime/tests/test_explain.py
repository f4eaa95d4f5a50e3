"""Which variant runs where, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.machine.cpu import isa

pytestmark = pytest.mark.compat


@pytest.mark.parametrize(
    ("how", "reasons"),
    [
        ({}, ["where the fastest stands first", "device:"]),
        ({"device": "cpu"}, ["where the fastest stands first", "threads: the cores this process may use"]),
        ({"variant": "fp32"}, ["variant as asked for"]),
        ({"device": "cpu", "threads": 1}, ["device as asked for", "threads as asked for"]),
        ({"reproducible": True}, ["without a batch effect"]),
        ({"variant": "int8-dynamic", "reproducible": True}, ["each text runs alone"]),
    ],
)
def test_every_choice_has_its_reason(how: dict[str, Any], reasons: list[str], bundle: Path) -> None:
    with TokenClassifier.load(bundle, **how) as classifier:
        found = classifier.explain()
        for reason in reasons:
            assert any(reason in given for given in found.reasons)
            assert reason in str(found)


def test_it_says_what_runs(bundle: Path) -> None:
    with TokenClassifier.load(bundle, "cpu", "fp32", threads=1) as classifier:
        found = classifier.explain()
    assert (found.variant, found.precision, found.provider) == (
        "fp32",
        "fp32",
        "CPUExecutionProvider",
    )
    assert found.isa == isa()
    assert found.proven_isas and found.tuning.threads == 1
    assert all(part in str(found) for part in ("fp32", "CPUExecutionProvider", found.isa, found.onnxruntime))
