"""Power by synthetic files of a Jetson's monitors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.commissioning.selftest.context import SelftestContext, SelftestRequest
from edgener_runtime.commissioning.selftest.power import power
from edgener_runtime.machine.probe.power import read_watts


@pytest.fixture
def context(bundle: Path) -> Iterator[SelftestContext]:
    with SelftestContext(SelftestRequest(bundle, seconds=0.01, texts=("oil leak",))) as made:
        made.classifier = TokenClassifier.load(bundle, "cpu", "fp32")
        yield made


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A root with one monitor of two rails, of which one is that of the whole board: 5.1 W."""
    device = tmp_path / "sys" / "bus" / "i2c" / "devices" / "1-0040"
    monitor = device / "hwmon" / "hwmon3"
    monitor.mkdir(parents=True)
    (device / "name").write_text("ina3221\n")
    for number, label, millivolts, milliamperes in ((1, "VDD_IN", 5000, 1020), (2, "VDD_CPU_GPU_CV", 5000, 400)):
        (monitor / f"in{number}_label").write_text(f"{label}\n")
        (monitor / f"in{number}_input").write_text(f"{millivolts}\n")
        (monitor / f"curr{number}_input").write_text(f"{milliamperes}\n")
    return tmp_path


def test_the_input_of_the_board_is_what_it_draws(board: Path, context: SelftestContext) -> None:
    assert read_watts(board) == pytest.approx(5.1)
    outcome = power(context, board)
    assert (outcome.status, outcome.figures) == ("pass", {"mean_watts": 5.1, "most_watts": 5.1})
    assert outcome.detail.startswith("5.1 W on average, 5.1 W at most, in ")


def test_a_machine_without_monitors_is_not_measurable(tmp_path: Path, context: SelftestContext) -> None:
    outcome = power(context, tmp_path)
    assert outcome.status == "skipped" and outcome.detail.startswith("not measurable here")
