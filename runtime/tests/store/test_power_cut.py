"""Real commands on a file system of our own (FUSE) whose power fails: what was not synced is lost or torn."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest

from .disks import Change, Tree, after_power_cut, tree_of, write_tree
from .test_faults import SEED, WRONG, Editions, at, loaded

pytestmark = pytest.mark.trust

PROGRAM = Path(__file__).with_name("fuse_disk.py")
TEXT = "oil leak at P-101"
STORE = PurePosixPath("device/store")
Command = tuple[str, ...]


class PowerSupply:
    """A folder for what is on the disk, and the folder where its file system is mounted."""

    def __init__(self, base: Path) -> None:
        self.folder, self.mount, self.log = base / "disk", base / "mount", base / "log"
        self.store = self.mount / STORE
        self.mount.mkdir()
        self.folder.mkdir()

    @contextmanager
    def on(self, cut: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """The file system is mounted; its power fails at change number `cut`."""
        self.log.write_bytes(b"")
        words = [sys.executable, PROGRAM, self.folder, self.mount, self.log, *([] if cut is None else [str(cut)])]
        with subprocess.Popen(words, stderr=subprocess.PIPE) as process:
            try:
                while process.poll() is None and not os.path.ismount(self.mount):
                    time.sleep(0.02)
                if process.poll() is not None and process.stderr:
                    pytest.skip(f"FUSE cannot mount here: {process.stderr.read().decode().strip()[-300:]}")
                yield process
            finally:
                subprocess.run(["fusermount3", "-u", "-z", self.mount], capture_output=True, check=False)
                process.wait(60)

    def changes(self) -> list[Change]:
        """The changes since it was mounted; writes to one file after another are one."""
        found: list[Change] = []
        for line in self.log.read_text(encoding="ascii").splitlines():
            each = json.loads(line)
            other = each["other"] and PurePosixPath(each["other"])
            change = Change(each["kind"], PurePosixPath(each["path"]), base64.b64decode(each["data"]), other)
            if found and change.kind == "write" and (found[-1].kind, found[-1].path) == ("write", change.path):
                found.pop()
            found.append(change)
        return found

    def restore(self, tree: Tree) -> None:
        """Make the disk what it is after a power cut."""
        shutil.rmtree(self.folder)
        write_tree(tree, self.folder)

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """A command of the runtime, in a process of its own."""
        command = [sys.executable, "-m", "edgener_runtime", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)

    def install(self, bundle: Path) -> subprocess.CompletedProcess[str]:
        return self.run("install", bundle, "--store", self.store, "--variant", "fp32", "--trial", "0")

    def answers(self) -> bool:
        """Whether the active bundle answers."""
        done = self.run("predict", self.store / "active", TEXT, "--variant", "fp32")
        return done.returncode == 0 and json.loads(done.stdout)["text"] == TEXT


@pytest.fixture
def power(tmp_path: Path) -> PowerSupply:
    if importlib.util.find_spec("mfusepy") is None:
        pytest.skip("mfusepy is not installed")
    if not shutil.which("fusermount3"):
        pytest.skip("FUSE is not installed: apt-get install fuse3")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("/dev/fuse cannot be opened")
    return PowerSupply(tmp_path)


def names_after(before: Tree, changes: list[Change], folder: Path, chance: random.Random) -> tuple[str, int]:
    """The bundle that is loaded after a power cut, and how many changes were lost or torn."""
    tree, lost = after_power_cut(before, changes, chance)
    write_tree(tree, folder)
    try:
        return loaded(at(folder / STORE)), lost
    except AssertionError as error:  # none can be loaded
        return str(error), lost
    finally:
        shutil.rmtree(folder)


def test_what_commands_sync_outlives_a_power_cut(
    power: PowerSupply, edition: Editions, record_property: Callable[..., None], tmp_path: Path
) -> None:
    """Each command runs once; its changes are then cut, torn and reordered in many ways."""
    chance, cuts, torn, wrong = random.Random(SEED), 0, 0, 0
    acts = (
        (lambda: power.install(edition("1")), ("", "1")),
        (lambda: power.install(edition("2")), ("1", "2")),
        (lambda: power.run("rollback", "--store", power.store, "--reason", "slow"), ("2", "1")),
    )
    for act, expected in acts:
        before = tree_of(power.folder)
        with power.on():
            done = act()
        assert done.returncode == 0, done.stderr
        changes = power.changes()
        for cut in [*(chance.randrange(len(changes) + 1) for _ in range(60)), *[len(changes)] * 10]:
            name, lost = names_after(before, changes[:cut], tmp_path / "after", chance)
            wrong += name not in (expected[-1:] if cut == len(changes) else expected)
            cuts, torn = cuts + 1, torn + lost
        careless = [change for change in changes if change.kind != "sync"]
        found = {names_after(before, careless, tmp_path / "after", chance)[0] for _ in range(20)}
        assert found != {expected[-1]}, "without a sync, what has returned is not durable"
    record_property("power cuts", cuts)
    record_property("writes lost or torn", torn)
    record_property(WRONG, wrong)
    assert wrong == 0 and torn > cuts


@pytest.mark.parametrize("share", [0.3, 0.7, 0.9])
def test_the_power_fails_during_an_installation(
    power: PowerSupply, edition: Editions, record_property: Callable[..., None], share: float
) -> None:
    """The disk vanishes under the command; after the next start the device answers, and takes the bundle."""
    with power.on():
        assert power.install(edition("1")).returncode == 0
    before = tree_of(power.folder)
    with power.on():
        assert power.install(edition("2")).returncode == 0
    count = power.log.read_bytes().count(b"\n")
    power.restore(before)
    with power.on(int(count * share)) as disk:
        assert power.install(edition("2")).returncode != 0
        assert disk.wait(60) == 9
    tree, lost = after_power_cut(before, power.changes(), random.Random(SEED))
    power.restore(tree)
    with power.on():
        assert power.answers()
        assert power.install(edition("2")).returncode == 0
        assert power.answers()
    assert loaded(at(power.folder / STORE)) == "2"
    record_property("power cuts", 1)
    record_property("writes lost or torn", lost)
