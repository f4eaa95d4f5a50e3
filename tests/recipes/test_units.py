"""systemd's units: verified and rated by systemd-analyze; none is installed here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.bundle.store.store import Store
from edgener_runtime.cli.main import main
from edgener_runtime.errors import BundleError, ProviderError, StalledError, UserInputError

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "recipes"
UNITS = sorted(RECIPES.glob("*.service"))
RUNTIME = "/opt/edgener/bin/edgener-runtime"
SERVICE = 61184  # the first of those that systemd gives to services
MOST_EXPOSED = 15  # of 100; one that says nothing of what it may do has 96
REFUSE_EXECUTABLE = "import ctypes; assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0"  # PR_SET_MDWE

each = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


def installed(unit: Path, folder: Path, change: tuple[str, str] = ("", ""), gpu: bool = False) -> Path:
    """The unit with a runtime that is there, as systemd-analyze wants it, and something changed."""
    copy = folder / unit.name
    text = unit.read_text(encoding="utf-8").replace(RUNTIME, str(Path(sys.executable).with_name("edgener-runtime")))
    copy.write_text(text.replace(*change) if change[0] else text, encoding="utf-8")
    if gpu:
        below = folder / f"{unit.name}.d"
        below.mkdir()
        shutil.copy(RECIPES / "edgener-gpu.conf", below / "gpu.conf")
    return copy


def options(unit: Path) -> list[tuple[str, str]]:
    lines = unit.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if re.match(r"[A-Za-z]+=", line))
    return [(name, value) for name, _, value in pairs]


@each
@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "gpu"])
def test_systemd_takes_it_as_it_is(unit: Path, gpu: bool, tmp_path: Path) -> None:
    done = analyze("verify", installed(unit, tmp_path, gpu=gpu))
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_finds_a_fault(tmp_path: Path) -> None:
    done = analyze("verify", installed(UNITS[0], tmp_path, ("Restart=on-failure", "Restart=maybe")))
    assert "Failed to parse service restart specifier" in done.stderr


@each
def test_it_may_do_little(unit: Path, tmp_path: Path) -> None:
    rate = ("security", "--offline=true", f"--threshold={MOST_EXPOSED}")
    if analyze("security", "--help").stdout.find("--offline") < 0:
        pytest.skip("this systemd-analyze rates no files")
    assert analyze(*rate, installed(unit, tmp_path)).returncode == 0
    weak = installed(unit, tmp_path, ("DynamicUser=yes\n", "User=root\n"))
    assert analyze(*rate, weak).returncode == 1


@each
def test_its_head_says_that_it_was_not_installed(unit: Path) -> None:
    assert unit.read_text(encoding="utf-8").startswith("# Linted, not installed here")
    assert (
        (RECIPES / "edgener-gpu.conf")
        .read_text(encoding="utf-8")
        .startswith("# Linted, not installed here, and not run on a GPU or a Jetson.")
    )


@each
def test_its_command_is_one_that_we_have(unit: Path) -> None:
    found = dict(options(unit))
    program, name, bundle, rest = found["ExecStart"].split()
    assert (program, bundle, rest) == (RUNTIME, "${BUNDLE}", "$OPTIONS")
    assert main.commands[name].make_context(name, [bundle]).params["bundle"] == Path(bundle)
    names = list(found)
    assert found["Environment"] == "BUNDLE=/srv/edgener/bundle"
    assert names.index("Environment") < names.index("EnvironmentFile"), "the file names another bundle"


@each
def test_it_may_write_to_its_store_and_nowhere_else(unit: Path) -> None:
    found = dict(options(unit))
    assert (found["DynamicUser"], found["ProtectSystem"]) == ("yes", "strict")
    assert (found["User"], found["StateDirectory"]) == ("edgener", "edgener"), "one owner, whichever service runs"
    assert not found.keys() & {"ReadWritePaths", "BindPaths", "CacheDirectory", "LogsDirectory", "StateDirectoryMode"}
    for page in ("deploy.md", "store.md"):
        text = (ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8")
        assert f"BUNDLE=/var/lib/{found['StateDirectory']}/store/active" in text


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder as StateDirectory= makes it, in one that every user may enter."""
    if os.geteuid():
        pytest.skip("only root can act as another user")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "edgener").mkdir(0o755)
        yield Path(folder) / "edgener"


@contextmanager
def acting_as(user: int, unit: Path) -> Iterator[None]:
    """The user and the mask of a unit, for this process; files of others are closed to it as they are there."""
    mask = os.umask(int(dict(options(unit))["UMask"], 8))
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.umask(mask)


@each
def test_a_service_records_a_rollback_in_a_store_that_root_fills(unit: Path, state: Path, tmp_path: Path) -> None:
    store = Store(state / "store")
    first = store.install(edition(tmp_path, "first")).version
    store.confirm(first)
    for path in (state, *state.rglob("*")):  # what systemd does at the first start
        os.chown(path, SERVICE, SERVICE, follow_symlinks=False)
    for number, name in enumerate(("second", "third")):
        bad = store.install(edition(tmp_path, name)).version
        with acting_as(SERVICE, unit):
            assert Store(state / "store").load(read_manifest, is_start=True).version == bad
            assert Store(state / "store").rollback("a request failed", bad).version == first
            with pytest.raises(OSError, match="denied"):
                (state.parent / "elsewhere").write_text("x")
        found = store.listing()
        assert found.active == first and found.events[-1].reason == "a request failed"
        assert sum(entry.state == "failed" for entry in found.bundles) == number + 1
    (state / "store" / "journal.json.new").write_bytes(b"of an install by root that a power cut ended")
    with acting_as(SERVICE, unit):
        store.activate(bad)
        assert Store(state / "store").rollback("once more", bad).version == first


def edition(folder: Path, name: str) -> Path:
    """The bundle of the runtime's tests under another name."""
    made = Path(shutil.copytree(ROOT / "runtime" / "tests" / "bundle", folder / name))
    record = json.loads((made / "manifest.json").read_text(encoding="utf-8"))
    (made / "manifest.json").write_text(json.dumps(record | {"name": name}), encoding="utf-8")
    return made


@each
def test_it_is_not_restarted_where_that_fixes_nothing(unit: Path) -> None:
    found = dict(options(unit))
    ended = {int(code) for code in found["RestartPreventExitStatus"].split()}
    assert ended == {UserInputError.exit_code, BundleError.exit_code}
    assert ProviderError.exit_code not in ended  # a driver may be loaded later
    assert found["Restart"] == "on-failure"


@each
def test_what_sends_keep_alives_is_watched(unit: Path) -> None:
    found = dict(options(unit))
    assert (found["Type"] == "notify") == ("WatchdogSec" in found)


def test_the_bridge_is_watched_and_given_time_to_start_and_to_stop() -> None:
    found = dict(options(RECIPES / "edgener-mqtt.service"))
    context = main.commands["mqtt"].make_context("mqtt", ["bundle"])
    assert found["Type"] == "notify" and int(found["WatchdogSec"]) > 10
    assert int(found["TimeoutStartSec"]) > 2 * context.params["overdue"]
    assert int(found["TimeoutStopSec"]) > context.params["stop_within"]
    assert StalledError.exit_code not in {int(code) for code in found["RestartPreventExitStatus"].split()}


def test_the_server_is_given_time_to_answer_who_waits() -> None:
    stop = dict(options(RECIPES / "edgener-serve.service"))["TimeoutStopSec"]
    context = main.commands["serve"].make_context("serve", ["bundle"])
    assert int(stop) > context.params["drain"] + 2 * context.params["timeout"]


def test_the_runtime_does_without_memory_that_is_written_and_executed() -> None:
    """MemoryDenyWriteExecute=, as the kernel has it since 6.3; systemd asks for the same by a filter of calls."""
    bundle = ROOT / "runtime" / "tests" / "bundle"
    call = "from edgener_runtime.cli.main import main; main(['predict', {!r}, 'oil leak at pump P-101'])"
    if subprocess.run([sys.executable, "-c", REFUSE_EXECUTABLE], capture_output=True, check=False).returncode:
        pytest.skip("this kernel has no PR_SET_MDWE")
    code = f"{REFUSE_EXECUTABLE}; {call.format(str(bundle))}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0 and '"FAULT"' in done.stdout, done.stderr


def test_every_recipe_is_in_the_list() -> None:
    listed = set(re.findall(r"\]\(([^)/]+)\)", (RECIPES / "README.md").read_text(encoding="utf-8")))
    assert listed == {file.name for file in RECIPES.iterdir()} - {"README.md"}
