"""`edgener bench --hosts`: the real benchmark on two servers of this machine, one of which is cut off half-way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edgener.cli.main import main
from edgener.fleet import remote
from edgener.fleet.hosts import Host
from edgener_runtime.cli.main import main as runtime
from edgener_runtime.commissioning.bench.results.record import read_result
from edgener_runtime.commissioning.bench.spec import Gold, Spec, Text

from ..fleet.devices import Device, Keys, device, make_keys

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "runtime" / "tests" / "bundle"
ASKED = ("--seconds", "4", "--variant", "int8-dynamic", "--scenario", "single-stream")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def pair(tmp_path: Path, keys: Keys) -> Iterator[tuple[Device, Device]]:
    with device("bench", tmp_path, keys) as one, device("roof", tmp_path, keys) as two:
        yield one, two
        assert one.is_empty() and two.is_empty()


def listed(folder: Path, *devices: Device) -> Path:
    """A hosts.yaml of them."""
    fields = ("name", "address", "port", "key", "known_hosts", "python", "folder")
    hosts = [{field: getattr(found.host, field) for field in fields} for found in devices]
    (folder / "hosts.yaml").write_text(json.dumps({"hosts": hosts}))
    return folder / "hosts.yaml"


def start(folder: Path, *devices: Device) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edgener", "bench", BUNDLE, "--hosts", listed(folder, *devices), *ASKED]
    return subprocess.Popen(
        [*command, "--out", folder / "out", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_one_that_is_cut_off_half_way_leaves_the_other_its_result(pair: tuple[Device, Device], tmp_path: Path) -> None:
    process = start(tmp_path, *pair)
    assert process.stderr
    while not (line := process.stderr.readline()).startswith("roof: ") or " of 4 s, round " not in line:
        assert line, "ended early"
    pair[1].cut()
    output, errors = process.communicate(timeout=1800)
    assert process.returncode == 6
    assert "error: 1 of 2 devices failed: roof" in errors
    good, bad = json.loads(output)
    assert (good["status"], bad["status"], bad["reason"]) == (
        "measured",
        "failed",
        "127.0.0.1: the connection was lost",
    )
    found = read_result(tmp_path / "out" / "bench.json")
    assert not found.partial and found.name == "bench" and found.rows[0].figures
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["bench.json"]


def test_a_table_says_how_each_ended(pair: tuple[Device, Device], tmp_path: Path) -> None:
    gone = replace(pair[1], host=replace(pair[1].host, port=1))
    arguments = ["bench", str(BUNDLE), "--hosts", str(listed(tmp_path, gone)), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 6
    assert "cannot reach -p 1 127.0.0.1" in " ".join(done.stdout.split())
    assert "roof: failed: cannot reach" in done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "--hosts needs --out FOLDER"),
        (("--out", __file__), "--hosts needs --out FOLDER"),
        (("--out", "out", "--name", "pi"), "--hosts excludes --name"),
        (("--out", "out", "--checkpoint", "c"), "--hosts excludes --checkpoint"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    (tmp_path / "hosts.yaml").write_text("hosts:\n- address: 192.0.2.1\n")
    done = CliRunner().invoke(main, ["bench", str(BUNDLE), "--hosts", str(tmp_path / "hosts.yaml"), *options])
    assert done.exit_code == 2 and says in done.stderr


def test_a_wheel_is_for_devices() -> None:
    done = CliRunner().invoke(main, ["bench", str(BUNDLE), "--wheel", __file__])
    assert done.exit_code == 2 and "--wheel is only for --hosts" in done.stderr


WORDS = ((0, 3), (4, 8), (9, 11), (12, 17))
TEXTS = (Text("oil leak\u2028at P-101", (Gold("FAULT", 0, 8),), WORDS), Text("nothing", ()), Text("unknown \ud800"))
SPECS = [
    Spec("b"),
    Spec("b", ("server", "multi-stream"), ("fp32", "int8-dynamic"), ("cpu", "auto"), (1, 2), lengths=(16, 128),
         samples_per_query=(2, 8), bound_ms=12.5, seconds=0.5, within=0.013, driver="builtin", name="pi"),
    Spec("b", data="builtin:factory (test)", texts=TEXTS),
]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS, ids=["defaults", "everything", "texts"])
def test_a_device_measures_exactly_the_spec(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Spec] = []
    monkeypatch.setattr(
        "edgener_runtime.commissioning.cli.bench.measure", lambda context, spec, *more: measured.append(spec)
    )
    host = Host("roof", "roof.local")
    file = remote._spec_file(host, remote.FleetJob(spec, tmp_path, tmp_path))
    command = runtime.commands["bench"]
    assert isinstance(command, click.Command)
    command.main(["there/bundle", "--spec", str(file)], standalone_mode=False)
    assert measured == [replace(spec, bundle="there/bundle", name="roof")]
