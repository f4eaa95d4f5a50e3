"""Full disks and kills at every step of `pull`: the last good bundle answers, and a later pull gets there."""

from __future__ import annotations

import json
import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgener.bundle.keys import open_signer
from edgener.bundle.sign import sign_bundle
from edgener.publish.publish import publish
from edgener_runtime.base.files import sha256_of
from edgener_runtime.bundle.manifest import Manifest, read_manifest
from edgener_runtime.bundle.slim import slim
from edgener_runtime.bundle.store.store import BundleChecks, Store
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import BundleError
from edgener_runtime.updates import repository
from edgener_runtime.updates.destination import Destination, FolderDestination, StoreDestination
from edgener_runtime.updates.pull import UNCHANGED, PullRequest, PullResult, pull

from .bench import QUICK, Publisher, keyring
from .faults import DONE, FULL, KILLED, Step, full, killed, run

pytestmark = pytest.mark.trust
BUNDLE = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "bundle"
SEED = 20261201
KINDS = ("store", "folder", "new store")
STRIDE = {"store": 1, "folder": 3, "new store": 3}
"""Every step of an update of a store; of the others, which share most of them, every third one."""
LARGEST = (0, 300, 1000, 4096, 65_536, 100_000, 10_000_000)  # bytes
Record = Callable[[str, int], None]


def no_fault(number: int, needs_space: bool) -> None:
    """Nothing fails."""


def verify_hashes(folder: Path) -> Manifest:
    """The part of verify_bundle that finds damage of a disk: it is quick."""
    manifest = read_manifest(folder)
    for entry in (*manifest.files, *(file for variant in manifest.variants for file in variant.files)):
        if (folder / entry.path).exists() and sha256_of(folder / entry.path) != entry.sha256:
            raise BundleError(f"{entry.path} is damaged")
    return manifest


@dataclass
class Updated:
    """A device with the first of two releases, or a new one, that is to get the second; `kind`: what it pulls into."""

    kind: str
    home: Path
    source: Path
    root: Path

    @property
    def store(self) -> Store:
        return Store(self.home / "store", BundleChecks(verify_hashes), trial=0)

    @property
    def state(self) -> Path:
        return self.home / "store" / "updates" if self.kind != "folder" else self.home / "state"

    @property
    def expected(self) -> tuple[str, ...]:
        """The bundles that may answer during the update; "": none, as there never was one."""
        return ("", "2") if self.kind == "new store" else ("1", "2")

    def pull(self, dry_run: bool = False) -> PullResult:
        """With a root that is given each time, as a timer's command line does."""
        request = PullRequest(str(self.source), "fp32", "stable", "device-1", QUICK, dry_run)
        folder = FolderDestination(self.home / "bundle", verify_hashes)
        target: Destination = StoreDestination(self.store, "fp32") if self.kind != "folder" else folder
        return pull(request, target, self.state, self.root)

    def name(self) -> str:
        """The name of the bundle that answers."""
        if self.kind != "folder":
            try:
                return self.store.load(verify_hashes).name
            except BundleError as error:
                assert "has no active bundle" in error.message or "is not a store" in error.message, error.message
                return ""
        return verify_hashes(self.home / "bundle").name

    def unaccounted(self) -> list[str]:
        """What is on the disk, after gc, and belongs to nothing."""
        known = {"1.root.json", "root.json", "timestamp.json", "snapshot.json", "targets.json", "trusted-root.json"}
        if self.kind != "folder":
            self.store.gc(1)
            bundles = {entry.folder for entry in self.store.listing().bundles}
            found = {path.name for path in (self.home / "store" / "bundles").iterdir()} - bundles
            found |= {path.name for path in self.store.folder.root.iterdir()}
            found -= {"active", "bundles", "journal.json", "journal.copy.json", "updates"}
        else:
            found = {path.name for path in self.home.iterdir()} - {"bundle", "state"}
        documents = [path for path in self.state.rglob("*") if path.is_file() and path.parent.name == "documents"]
        files = {path.name for path in self.state.rglob("*") if path.is_file() and path not in documents}
        folders = {path.name for path in self.state.iterdir() if path.is_dir()} - {"metadata", "documents", "files"}
        return sorted({*found, *(files - known), *folders, *(path.name for path in documents[2:])})


@pytest.fixture(scope="module", params=KINDS)
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Updated:
    """A device before its update. Not to be changed."""
    base = tmp_path_factory.mktemp("start")
    publisher = Publisher(base / "repository", keys)
    device = Updated(request.param, base / "device", publisher.folder, publisher.root)
    for name in "12":
        edition = Path(shutil.copytree(BUNDLE, base / name))
        record = json.loads((edition / "manifest.json").read_text(encoding="utf-8"))
        (edition / "manifest.json").write_text(json.dumps(record | {"name": name}), encoding="utf-8")
        if name == "2" and device.kind != "new store":  # the first is what it has
            device.pull()
        publish(edition, read_manifest(edition), slim, publisher.folder, "stable", keyring(keys), 100.0, 14, {})
    device.home.mkdir(exist_ok=True)
    return device


def copy_of(start: Updated, home: Path) -> Updated:
    shutil.copytree(start.home, home, symlinks=True)
    return Updated(start.kind, home, start.source, start.root)


def steps_of(start: Updated, folder: Path) -> int:
    """The changes of the disk of an update without a fault."""
    device, log = copy_of(start, folder / "count"), folder / "log"
    assert run(device.pull, lambda number, needs_space: None, log) == DONE, log.read_text()
    assert device.name() == "2" and device.unaccounted() == []
    return int(log.read_text())


def survives(start: Updated, folder: Path, step: Step, ends: tuple[int, ...], largest: int | None = None) -> int:
    """One pull with a fault, and all that must hold after it; how it ended."""
    device, log = copy_of(start, folder / "device"), folder / "log"
    ended = run(device.pull, step, log, largest)
    assert ended in ends, (ended, log.read_text())
    assert device.name() in device.expected
    device.pull()
    assert device.name() == "2"
    assert device.unaccounted() == []
    shutil.rmtree(folder / "device")
    return ended


def test_a_disk_that_is_full_at_every_step(start: Updated, tmp_path: Path, record_property: Record) -> None:
    steps = range(0, steps_of(start, tmp_path), STRIDE[start.kind] + 1)
    ends = [survives(start, tmp_path, full(number), (FULL, DONE)) for number in steps]
    assert ends.count(FULL) > len(ends) // 2
    record_property("pulls on a full disk", len(ends))


def test_a_kill_at_every_step(start: Updated, tmp_path: Path, record_property: Record) -> None:
    steps = range(STRIDE[start.kind] - 1, steps_of(start, tmp_path), STRIDE[start.kind])
    for number in steps:
        survives(start, tmp_path, killed(number), (KILLED,))
    record_property("kills of a pull", len(steps))


def test_a_disk_that_is_full_in_the_middle_of_a_file(start: Updated, tmp_path: Path, record_property: Record) -> None:
    ends = [survives(start, tmp_path, no_fault, (FULL, DONE), largest) for largest in LARGEST]
    assert FULL in ends and ends[-1] == DONE
    record_property("pulls on a full disk", len(ends))


def test_a_kill_at_a_random_time(start: Updated, tmp_path: Path, record_property: Record) -> None:
    chance, rounds, log = random.Random(SEED), 6, tmp_path / "log"

    def act(device: Updated, seconds: float) -> Callable[[], object]:
        def pull_until_killed() -> object:
            signal.setitimer(signal.ITIMER_REAL, seconds)  # nothing catches SIGALRM: the process ends at once
            return device.pull()

        return pull_until_killed

    for number in range(rounds):
        device = copy_of(start, tmp_path / f"device-{number}")
        for _ in range(3):  # what one kill left is what the next one meets
            run(act(device, chance.uniform(0.001, 0.15)), no_fault, log)
            assert device.name() in device.expected
        device.pull()
        assert device.name() == "2" and device.unaccounted() == []
    record_property("kills of a pull", 3 * rounds)


def test_what_was_trusted_is_on_the_disk_with_its_name(
    start: Updated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was seen protects against a rollback, also after a power cut."""
    synced: list[Path] = []
    monkeypatch.setattr(repository, "sync", synced.append)
    device = copy_of(start, tmp_path / "device")
    device.pull()
    metadata = device.state / "metadata"
    assert {metadata, metadata / "root_history", metadata / "timestamp.json"} <= set(synced)


def test_what_was_fetched_for_a_release_that_is_withdrawn_is_removed(start: Updated, tmp_path: Path) -> None:
    device = copy_of(start, tmp_path / "device")
    device.pull()
    (device.state / "files" / ("0" * 64)).write_bytes(b"of another release")
    assert device.pull(dry_run=True).state == UNCHANGED and device.unaccounted()
    assert device.pull().state == UNCHANGED
    assert device.unaccounted() == []


def test_a_release_with_a_signature_of_another_version_is_refused(tmp_path: Path, keys: Path) -> None:
    """Where the device requires one: TUF's keys alone are not enough."""
    publisher = Publisher(tmp_path / "repository", keys)

    def verify(folder: Path) -> Manifest:
        return verify_bundle(folder, keys / "targets-0.pub")

    def released(name: str) -> Path:
        edition = Path(shutil.copytree(BUNDLE, tmp_path / name))
        record = json.loads((edition / "manifest.json").read_text(encoding="utf-8"))
        (edition / "manifest.json").write_text(json.dumps(record | {"name": name}), encoding="utf-8")
        with open_signer(str(keys / "targets-0.key"), lambda: "") as signer:
            sign_bundle(edition, signer)
        return edition

    def pulled(edition: Path) -> str:
        publish(edition, read_manifest(edition), slim, publisher.folder, "stable", keyring(keys), 100.0, 14, {})
        request = PullRequest(str(publisher.folder), "fp32", "stable", "device-1", QUICK)
        pull(request, StoreDestination(store, "fp32"), tmp_path / "store" / "updates", publisher.root)
        return store.load(verify).name

    store = Store(tmp_path / "store", BundleChecks(verify), trial=0)
    assert pulled(released("1")) == "1"
    second = released("2")
    shutil.copy(tmp_path / "1" / "manifest.json.sig", second)
    with pytest.raises(BundleError, match=r"is not of this manifest\.json"):
        pulled(second)
    assert store.load(verify).name == "1"
    assert pulled(released("3")) == "3"
