"""The whole benchmark on the small bundle, and with planted workers whose rounds are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgener_runtime.base.serde import from_json, to_dict, to_json
from edgener_runtime.commissioning.bench import run as module
from edgener_runtime.commissioning.bench.results.record import BenchResult, BenchRow
from edgener_runtime.commissioning.bench.results.samples import pack
from edgener_runtime.commissioning.bench.run import Step, run
from edgener_runtime.commissioning.bench.spec import Gold, Spec, Text
from edgener_runtime.errors import ProviderError, UserInputError

from .conftest import PlantWorker
from .slowed import slowed
from .test_record import ROUND

pytestmark = pytest.mark.timing

Ask = Callable[..., Spec]
STEADY = """loaded()
for request in job["rounds"]:
    report(event="measured", case=request["case"], round={made!r})
"""
MADE = to_dict(replace(ROUND, samples=pack(np.ones(20)), texts=20))


@pytest.fixture
def planted_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only planted targets run, not the bundle's own."""
    monkeypatch.setattr(module, "targets_of", lambda spec, manifest: [])


def of_variant(result: BenchResult, name: str) -> list[BenchRow]:
    return [row for row in result.rows if row.case.variant == name]


def test_rows_are_measured_with_all_that_they_cost(ask: Ask, bundle: Path) -> None:
    gold = (Text("Oil leak at pump P-101", (Gold("NO-SUCH", 0, 3),)), Text("ok", ()))
    result = run(ask(variants=(), seconds=3, data="orders", texts=gold, name="box"))
    assert from_json(BenchResult, to_json(result), "the result") == result
    assert (result.name, result.driver, result.partial, result.bundle) == ("box", "builtin", False, "tiny-factory")
    assert [(row.case.variant, row.case.scenario) for row in result.rows] == [
        ("int8-dynamic", "single-stream"), ("int8-dynamic", "offline"), ("fp32", "single-stream"), ("fp32", "offline"),
    ]  # fmt: skip
    for row in result.rows:
        assert (row.status, row.provider, row.f1) == ("measured", "CPUExecutionProvider", 0.0)
        assert row.figures and row.figures.texts_per_second.value > 0 and row.rounds
        assert row.library and row.size_bytes > 0 and row.ended_by in ("budget", "precise")
    assert result.workloads[0].gold and result.workloads[0].texts == 2


def test_targets_take_turns_in_an_order_that_changes(ask: Ask, plant_worker: PlantWorker, planted_only: None) -> None:
    steps: list[Step] = []
    one, other = (plant_worker(STEADY.format(made=MADE)) for _ in range(2))
    run(ask(seconds=60, scenarios=("single-stream",)), steps.append, more=(one, other))
    assert [step.target for step in steps[:6]] == [one, other, other, one, one, other]
    assert [step.round for step in steps[:6]] == [1, 1, 2, 2, 3, 3]


def test_a_row_ends_once_it_is_precise_and_the_others_go_on(
    ask: Ask, plant_worker: PlantWorker, planted_only: None
) -> None:
    noisy = STEADY.format(made=MADE).replace(
        "report(", "import base64, struct, zlib\n    ms = struct.pack('<f', 1.0 + job['seed']) * 20\n    report("
    ).replace(repr(MADE["samples"]), "base64.b64encode(zlib.compress(ms)).decode()")  # fmt: skip
    steady, unsteady = plant_worker(STEADY.format(made=MADE)), plant_worker(noisy)
    result = run(ask(seconds=4, scenarios=("single-stream",)), more=(steady, unsteady))
    (precise,), (budget,) = of_variant(result, steady.variant), of_variant(result, unsteady.variant)
    assert (precise.ended_by, len(precise.rounds)) == ("precise", 5)
    assert budget.ended_by == "budget" and len(budget.rounds) > 5
    assert not result.partial


def test_one_that_fails_is_a_row_and_the_others_go_on(ask: Ask, plant_worker: PlantWorker) -> None:
    killed = plant_worker("loaded()\nos.kill(os.getpid(), signal.SIGKILL)")
    result = run(ask(seconds=1), more=(killed,))
    assert {row.status for row in of_variant(result, killed.variant)} == {"not run"}
    assert {row.ended_by for row in of_variant(result, killed.variant)} == {"failed"}
    assert {row.status for row in of_variant(result, "fp32")} == {"measured"}


def test_a_variant_that_cannot_run_here_is_a_row_with_the_reason(copy: Path, edit: Callable[..., Path]) -> None:
    edit("variants", 1, "needs", providers=["CUDAExecutionProvider"])
    result = run(Spec(str(copy), devices=("cpu",), seconds=1, driver="builtin", scenarios=("single-stream",)))
    ran, other = result.rows
    assert (ran.status, other.status, other.ended_by) == ("measured", "not run", "failed")
    assert "not on CPUExecutionProvider" in other.reason and other.figures is None


def test_nothing_that_can_run_here_is_an_error(ask: Ask) -> None:
    with pytest.raises(ProviderError, match="no variant can run here"):
        run(ask(devices=("jetson",)))


def test_a_driver_that_is_not_installed_is_an_error_before_anything_runs(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgener_runtime.commissioning.bench.drivers.choose.find_spec", lambda name: None)
    with pytest.raises(ProviderError, match="load generator"):
        run(ask(driver="loadgen"), more=())


def test_what_is_known_is_kept_after_every_turn_and_marked_partial(ask: Ask) -> None:
    kept: list[BenchResult] = []
    result = run(ask(seconds=1, scenarios=("single-stream",)), keep=kept.append)
    assert [len(known.rows[0].rounds) for known in kept] == list(range(len(kept)))
    assert all(known.partial or known.rows[0].ended_by == "precise" for known in kept) and not result.partial
    assert kept[0].rows[0].status == "not run"


def test_ctrl_c_ends_it_with_what_was_measured(ask: Ask) -> None:
    def interrupt(step: Step) -> None:
        if step.round == 2:
            raise KeyboardInterrupt

    result = run(ask(seconds=9), interrupt)
    assert result.partial
    assert {(row.status, row.ended_by, len(row.rounds)) for row in result.rows} == {("partial", "interrupted", 1)}


def test_texts_that_no_json_holds_are_run(ask: Ask) -> None:
    result = run(ask(seconds=1, scenarios=("offline",), data="odd", texts=(Text("\ud800 oil leak"), Text(""))))
    assert result.rows[0].status == "measured"


def test_no_temporary_file_stays(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run(ask(seconds=1, scenarios=("single-stream",)))
    assert list(tmp_path.iterdir()) == []


def test_a_planted_slowdown_is_measured(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So large that no neighbour on the machine hides it; smaller ones are the trials'."""
    asked = ask(seconds=1.5, scenarios=("single-stream",), lengths=(64,))
    plain = run(asked).rows[0].figures
    for name, value in slowed(tmp_path / "plant", 4.0).items():
        monkeypatch.setenv(name, value)
    slow = run(asked).rows[0].figures
    assert plain and slow and slow.p50_ms.value > 2.5 * plain.p50_ms.value


def test_two_workloads_of_one_name_are_refused(ask: Ask) -> None:
    with pytest.raises(UserInputError, match="two workloads have the name '16 subwords'"):
        run(ask(lengths=(16, 16)))
