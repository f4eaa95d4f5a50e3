"""The fresh process of a round, as the bench starts it, on the small bundle."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.base.process import Ended, python_command, run_process
from edgener_runtime.base.serde import from_json
from edgener_runtime.commissioning.bench.job import RoundRequest, WorkerJob
from edgener_runtime.commissioning.bench.results.record import Round
from edgener_runtime.commissioning.bench.results.samples import unpack
from edgener_runtime.commissioning.bench.spec import Gold
from edgener_runtime.commissioning.bench.workloads import GoldEntities, WorkloadTexts, write_workloads

pytestmark = [pytest.mark.compat, pytest.mark.timing]

GOLD = GoldEntities(((Gold("X", 0, 1),), (), ()), (((0, 3),), ((0, 2),), ()))
GOLD = GoldEntities(((Gold("X", 0, 1),), (), ()), (((0, 3),), ((0, 2),), ()))
WORK = WorkloadTexts("orders", ("oil leak at pump P-101", "ok", "\ud800 valve stuck"), (9, 3, 6), GOLD)
SINGLE = RoundRequest(0, 0, "single-stream", 1, 0.0, 0.1)
COMMAND = python_command("edgener_runtime.commissioning.bench.worker")


@pytest.fixture
def job(bundle: Path, tmp_path: Path) -> WorkerJob:
    workloads, _ = write_workloads((WORK,), tmp_path)
    return WorkerJob(str(bundle), "fp32", "cpu", 1, str(workloads), "builtin", 0, (SINGLE,))


def done(job: WorkerJob) -> tuple[Ended, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    return run_process(COMMAND, json.dumps(asdict(job)), events.append), events


def round_of(event: dict[str, Any]) -> Round:
    assert event["event"] == "measured", event
    return from_json(Round, json.dumps(event["round"]), "the round")


def test_every_scenario_is_measured_and_the_workload_scored(job: WorkerJob) -> None:
    rounds = (
        SINGLE, RoundRequest(1, 0, "multi-stream", 2, 0.0, 0.1), RoundRequest(2, 0, "offline", 1, 0.0, 0.1),
        RoundRequest(3, 0, "server", 1, 50.0, 0.05, rate=500.0),
    )  # fmt: skip
    ended, events = done(replace(job, rounds=rounds, gold=str(Path(job.workloads).with_name("gold.json"))))
    assert ended.code == 0, ended.stderr
    loaded, *measured, scored = events
    assert loaded["provider"] == "CPUExecutionProvider" and loaded["library"].startswith("onnxruntime ")
    assert loaded["energy"]
    assert [event["case"] for event in measured] == [0, 1, 2, 3]
    single, multi, offline, server = map(round_of, measured)
    assert scored == {"event": "scored", "workload": 0, "f1": 0.0}
    assert single.texts == len(unpack(single.samples)) and multi.texts == 2 * len(unpack(multi.samples))
    assert len(unpack(offline.samples)) == 1 and single.rate is None
    assert server.rate and server.rate > 1
    for one in (single, multi, offline, server):
        assert 3 * one.texts <= one.subwords <= 9 * one.texts
        assert one.cpu_seconds > 0 and one.load_seconds > 0 and one.first_ms > 0 and one.warm_up_seconds > 0
        assert one.isolation.reference_ms > 0
        assert one.peak_rss_mb is None or (one.steady_rss_mb and 30 < one.steady_rss_mb <= one.peak_rss_mb + 1)


def test_the_seed_draws_the_texts(job: WorkerJob) -> None:
    """The same number of queries in the same order has the same subwords; another seed's has others."""
    turn = replace(SINGLE, seconds=0.001)  # the least number of queries
    counts = [round_of(done(replace(job, seed=seed, rounds=(turn,)))[1][1]) for seed in (1, 1, 7)]
    assert counts[0].texts == counts[1].texts and counts[0].subwords == counts[1].subwords
    assert {one.subwords for one in counts} != {counts[0].subwords}


def test_what_cannot_be_loaded_is_reported(job: WorkerJob) -> None:
    ended, (event,) = done(replace(job, device="tensorrt"))
    assert ended.code == 0 and event["event"] == "failed" and event["case"] is None
    assert event["kind"] == "ProviderError"


def test_a_turn_that_fails_is_reported_and_the_next_is_taken(job: WorkerJob) -> None:
    hopeless = RoundRequest(0, 0, "server", 1, 0.0001, 0.05)
    _, (_, failed, measured) = done(replace(job, rounds=(hopeless, replace(SINGLE, case=1))))
    assert failed["event"] == "failed" and failed["case"] == 0 and "no rate stays within the bound" in failed["message"]
    assert measured["case"] == 1


@pytest.fixture
def busy(job: WorkerJob) -> Iterator[subprocess.Popen[str]]:
    """A worker in the middle of a turn of ten minutes."""
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(asdict(replace(job, rounds=(replace(SINGLE, seconds=600.0),)))) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["event"] == "loaded"
        yield process
        process.kill()


def test_it_ends_when_nobody_waits_any_more(busy: subprocess.Popen[str]) -> None:
    assert busy.stdin
    time.sleep(0.3)
    assert busy.poll() is None
    busy.stdin.close()
    assert busy.wait(600) == 75
