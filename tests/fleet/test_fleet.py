"""Two devices at once, one of which fails in every way; the other's result is valid, and nothing is left on either."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgener.fleet import device_session as session
from edgener.fleet.fleet import FAILED, MEASURED, HostOutcome, run_on_hosts
from edgener.fleet.hosts import Host
from edgener_runtime.base.serde import to_json
from edgener_runtime.commissioning.bench.results.record import read_result
from edgener_runtime.commissioning.bench.spec import Gold, Spec, Text
from edgener_runtime.errors import BundleError, UserInputError

from ..bench.made import made_result, made_row
from .devices import Device, Keys, device, make_keys, synthetic_wheel, write_wheel

pytestmark = pytest.mark.timing

BUNDLE = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "bundle"
SPEC = Spec(str(BUNDLE), seconds=5.0)
RESULT = made_result(made_row(rounds=1))
Report = Callable[[str, str], None]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_wheel(tmp_path_factory.mktemp("wheel"), to_json(replace(RESULT, name="NAME")))


@pytest.fixture
def pair(tmp_path: Path, keys: Keys) -> Iterator[tuple[Device, Device]]:
    with device("one", tmp_path, keys) as one, device("two", tmp_path, keys) as two:
        yield one, two
        assert one.is_empty() and two.is_empty()


def named(device: Device, name: str, **changes: object) -> Host:
    return replace(device.host, name=name, **changes)  # type: ignore[arg-type]


def run(hosts: list[Host], out: Path, wheel: Path, report: Report | None = None) -> dict[str, HostOutcome]:
    outcomes = run_on_hosts(hosts, SPEC, out, report or (lambda name, line: None), wheel)
    return {outcome.name: outcome for outcome in outcomes}


def when(name: str, line: str, act: Callable[[], object]) -> Report:
    """Act once a device reports this line."""

    def report(who: str, what: str) -> None:
        if (who, what) == (name, line):
            act()

    return report


def test_each_device_has_a_result_of_its_own(pair: tuple[Device, Device], tmp_path: Path, wheel: Path) -> None:
    lines: list[tuple[str, str]] = []
    found = run([named(pair[0], "good"), named(pair[1], "best")], tmp_path / "out", wheel, lambda *of: lines.append(of))
    assert [outcome.status for outcome in found.values()] == [MEASURED, MEASURED]
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"good.json", "best.json"}
    assert read_result(tmp_path / "out" / "best.json") == replace(RESULT, name="best")
    assert {("good", "half-way"), ("best", "half-way"), ("best", "measuring")} <= set(lines)


FAILURES = {
    "dies": ("dies", "the benchmark on 127.0.0.1 was killed by signal 9: half-way"),
    "fails": (
        "fails",
        "the benchmark on 127.0.0.1 ended with exit code 6: error: no device cuda here Take --device cpu.",
    ),
    "lies": ("lies", "what 127.0.0.1 sent is damaged"),
    "silent": ("silent", "the benchmark on 127.0.0.1 wrote no result"),
}


@pytest.mark.parametrize(("name", "reason"), FAILURES.values(), ids=FAILURES)
def test_one_that_fails_takes_no_other_with_it(
    pair: tuple[Device, Device], tmp_path: Path, wheel: Path, name: str, reason: str
) -> None:
    found = run([named(pair[0], "good"), named(pair[1], name)], tmp_path / "out", wheel)
    assert found["good"].status == MEASURED and not read_result(tmp_path / "out" / "good.json").partial
    assert found[name].status == FAILED and found[name].reason.startswith(reason)


def test_what_was_measured_before_it_died_is_kept(pair: tuple[Device, Device], tmp_path: Path, wheel: Path) -> None:
    found = run([named(pair[0], "dies")], tmp_path / "out", wheel)["dies"]
    assert found.status == FAILED and found.file and read_result(Path(found.file)).partial


def test_one_that_cannot_be_reached_is_reported_beside_the_other(
    pair: tuple[Device, Device], tmp_path: Path, wheel: Path
) -> None:
    found = run([named(pair[0], "good"), named(pair[1], "gone", port=1)], tmp_path / "out", wheel)
    assert found["good"].status == MEASURED
    assert found["gone"].reason == "cannot reach -p 1 127.0.0.1: Connection refused" and found["gone"].hint


def test_a_connection_that_is_cut_half_way_leaves_nothing(
    pair: tuple[Device, Device], tmp_path: Path, wheel: Path
) -> None:
    hosts = [named(pair[0], "good"), named(pair[1], "slow")]
    found = run(hosts, tmp_path / "out", wheel, when("slow", "half-way", pair[1].cut))
    assert found["good"].status == MEASURED and found["slow"].status == FAILED
    assert found["slow"].reason == "127.0.0.1: the connection was lost"


def test_a_device_that_never_comes_back_is_reported_with_what_may_be_left(
    pair: tuple[Device, Device], tmp_path: Path, wheel: Path
) -> None:
    hosts = [named(pair[0], "good"), named(pair[1], "slow")]
    found = run(hosts, tmp_path / "out", wheel, when("slow", "half-way", pair[1].vanish))
    assert found["good"].status == MEASURED
    assert "the connection was lost; then it is unknown whether" in found["slow"].reason
    assert found["slow"].hint.startswith(f"Remove it: ssh {pair[1].host.target} rm -rf {pair[1].folder}/edgener-visit-")


def test_an_agent_that_is_killed_leaves_nothing_either(
    pair: tuple[Device, Device], tmp_path: Path, wheel: Path
) -> None:
    def kill() -> None:
        [agent] = [
            pid for pid in pair[1].sessions() if b"exec(sys.stdin" in Path(f"/proc/{pid}/cmdline").read_bytes()
            and b"sh\0" not in Path(f"/proc/{pid}/cmdline").read_bytes()[:12]
        ]  # fmt: skip
        os.kill(agent, signal.SIGKILL)

    found = run([named(pair[1], "slow")], tmp_path / "out", wheel, when("slow", "half-way", kill))
    assert found["slow"].reason == "127.0.0.1: Python there was ended by KILL"
    assert all("edgener_runtime" not in Path(f"/proc/{pid}/cmdline").read_text() for pid in pair[1].sessions())


def test_one_that_takes_too_long_is_stopped(pair: tuple[Device, Device], tmp_path: Path, wheel: Path) -> None:
    found = run([named(pair[0], "good"), named(pair[1], "slow", timeout=3.0)], tmp_path / "out", wheel)
    assert found["good"].status == MEASURED
    assert found["slow"].reason == "127.0.0.1 did not finish within 3 s" and found["slow"].file


def test_a_long_benchmark_is_not_treated_as_abandoned(
    pair: tuple[Device, Device], tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = session._agent().replace(b"SILENCE = 120.0", b"SILENCE = 1.500")
    monkeypatch.setattr(session, "_agent", lambda: quick)
    monkeypatch.setattr(session, "_HEARTBEAT", 0.2)
    found = run([named(pair[1], "slow", timeout=4.0)], tmp_path / "out", wheel)["slow"]
    assert found.reason == "127.0.0.1 did not finish within 4 s"


def test_a_disk_that_fills_fails_one_device(tmp_path: Path, keys: Keys, wheel: Path) -> None:
    with device("big", tmp_path, keys) as big, device("small", tmp_path, keys, most_bytes=20_000) as small:
        found = run([big.host, small.host], tmp_path / "out", wheel)
        assert found["big"].status == MEASURED
        assert found["small"].reason == "127.0.0.1 failed: File too large"
        assert big.is_empty() and small.is_empty()


def test_texts_go_along_with_their_name_and_entities(pair: tuple[Device, Device], tmp_path: Path, wheel: Path) -> None:
    spec = replace(SPEC, data="builtin:factory (test)", texts=(Text("oil leak", (Gold("FAULT", 0, 8),)),))
    lines: list[tuple[str, str]] = []
    run_on_hosts([named(pair[0], "good")], spec, tmp_path / "out", lambda *of: lines.append(of), wheel)
    entities = '[{"label": "FAULT", "start": 0, "end": 8}]'
    line = f'texts of builtin:factory (test): [{{"text": "oil leak", "entities": {entities}, "words": null}}]'
    assert ("good", line) in lines


def test_an_environment_is_filled_without_a_network(pair: tuple[Device, Device], tmp_path: Path, wheel: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "synthetic_onnxruntime", {"synthetic_onnxruntime.py": ""})
    whole = named(pair[0], "whole", install="everything", wheels=str(tmp_path / "wheels"))
    found = run([whole], tmp_path / "out", wheel)["whole"]
    assert found.status == MEASURED, found.reason


def test_what_a_device_has_already_is_measured(pair: tuple[Device, Device], tmp_path: Path, wheel: Path) -> None:
    spec = replace(SPEC, variants=("int9",))  # which the real runtime refuses
    has = named(pair[0], "has", install="nothing")
    [found] = run_on_hosts([has], spec, tmp_path / "out", lambda *_: None, wheel)
    assert found.status == FAILED and "exit code 2" in found.reason and "int9" in found.reason


PROGRAM = """
import sys
from pathlib import Path

from edgener.fleet.fleet import run_on_hosts
from edgener.fleet.hosts import read_hosts
from edgener_runtime.commissioning.bench.spec import Spec
hosts, bundle, out, wheel = map(Path, sys.argv[1:])
run_on_hosts(read_hosts(hosts), Spec(str(bundle)), out, lambda *line: print(*line, flush=True), wheel)
"""


def test_ctrl_c_stops_all_and_keeps_what_was_measured(pair: tuple[Device, Device], tmp_path: Path, wheel: Path) -> None:
    fields = ("address", "port", "key", "known_hosts", "python", "folder")
    hosts = [{"name": f"slow-{place}"} | {field: getattr(device.host, field) for field in fields}
             for place, device in enumerate(pair)]  # fmt: skip
    (tmp_path / "hosts.yaml").write_text(json.dumps({"hosts": hosts}))
    arguments = [tmp_path / "hosts.yaml", BUNDLE, tmp_path / "out", wheel]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout
    for _ in hosts:
        while not process.stdout.readline().endswith("half-way\n"):
            pass
    process.send_signal(signal.SIGINT)
    lines, errors = process.communicate(timeout=1800)
    assert "KeyboardInterrupt" in errors and "interrupted" in lines
    assert all(read_result(tmp_path / "out" / f"{host['name']}.json").partial for host in hosts)


def test_nothing_is_sent_if_a_result_exists_already(tmp_path: Path, wheel: Path) -> None:
    (tmp_path / "pi.json").write_text("{}")
    with pytest.raises(UserInputError, match=r"pi\.json exists already"):
        run([Host("pi", "192.0.2.1")], tmp_path, wheel)


def test_nothing_is_sent_of_a_bundle_that_is_damaged(tmp_path: Path, wheel: Path) -> None:
    with pytest.raises(BundleError):
        run_on_hosts([Host("pi", "192.0.2.1")], Spec(str(tmp_path)), tmp_path, lambda *_: None, wheel)


def test_a_folder_without_wheels_is_reported_before_anything_is_sent(tmp_path: Path, wheel: Path) -> None:
    with pytest.raises(UserInputError, match="has no wheels"):
        run([Host("pi", "192.0.2.1", install="everything", wheels=str(tmp_path))], tmp_path, wheel)
