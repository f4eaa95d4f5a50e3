"""Faults at every step of the store: after each the last good bundle is loaded, or there never was one."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.base.files import storage_errors
from edgener_runtime.bundle.store import journal
from edgener_runtime.bundle.store.disk import Disk
from edgener_runtime.bundle.store.store import BundleChecks, Store
from edgener_runtime.errors import BundleError, EdgenerError, StorageError

from .disks import (
    FastDisk,
    RecordingDisk,
    WatchedDisk,
    after_power_cut,
    failing,
    killing,
    tree_of,
    verify_hashes,
    write_tree,
)

pytestmark = pytest.mark.trust

Editions = Callable[[str], Path]
Act = Callable[[Store, Editions], object]
CHECKS = BundleChecks(verify_hashes)
SEED = 20261201
WRONG = "wrong or missing answers"
ACTS: dict[str, tuple[tuple[str, ...], Act, tuple[str, ...]]] = {
    # the bundles installed before, what is done, and which may be active afterwards
    "first install": ((), lambda store, edition: store.install(edition("1")), ("", "1")),
    "install": (("1",), lambda store, edition: store.install(edition("2")), ("1", "2")),
    "install of a folder": (
        ("1",),
        lambda store, edition: store.install(fetched(store, edition("2")), move=True),
        ("1", "2"),
    ),
    "activate": (("2", "1"), lambda store, edition: store.activate(_version(store, "2")), ("1", "2")),
    "rollback": (("1", "2"), lambda store, edition: store.rollback("bad"), ("2", "1")),
    "gc": (("1", "2", "3", "4"), lambda store, edition: store.gc(1), ("4",)),
}


def fetched(store: Store, bundle: Path) -> Path:
    """The bundle as an update lays it out on the store's disk; nothing of it is sure to outlive a power cut."""
    folder, disk = store.folder.root / "fetched", store.folder.disk
    with storage_errors(folder):
        disk.make_folder(folder)
        for path in sorted(bundle.rglob("*")):
            (disk.make_folder if path.is_dir() else partial(disk.copy, path))(folder / path.relative_to(bundle))
    return folder


def at(root: Path, disk: Disk | None = None) -> Store:
    return Store(root, CHECKS, trial=0, disk=disk or FastDisk())


def _version(store: Store, name: str) -> str:
    return next(entry.version for entry in store.listing().bundles if entry.name == name)


def loaded(store: Store) -> str:
    """The name of the bundle that answers; "" where there never was one, by a clear error."""
    try:
        return store.load(verify_hashes).name
    except BundleError as error:
        assert "has no active bundle" in error.message or "is not a store" in error.message, error.message
        return ""


@pytest.fixture(params=ACTS)
def case(request: pytest.FixtureRequest, tmp_path: Path, edition: Editions) -> Any:
    """A folder as a store has left it, what is done to it, and what may be active afterwards."""
    before, act, expected = ACTS[request.param]
    start = tmp_path / "start"
    for name in before:
        at(start).install(edition(name))
    start.mkdir(exist_ok=True)
    return start, act, expected


def copies(start: Path) -> Iterator[Path]:
    """New copies of a folder, each removed before the next."""
    while True:
        path = Path(tempfile.mkdtemp(dir=start.parent)) / start.name
        shutil.copytree(start, path, symlinks=True)
        yield path
        shutil.rmtree(path.parent)


def steps(start: Path, act: Act, edition: Editions) -> int:
    """How many changes an act makes to the disk."""
    disk = WatchedDisk(lambda count: None)
    act(at(next(copies(start)), disk), edition)
    return disk.count


def in_child(run: Callable[[], object]) -> int:
    """How a fork of this process ended that ran something."""
    child = os.fork()
    if not child:
        try:
            run()
        except BaseException:  # noqa: BLE001 - nothing of pytest's may run in the fork
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def goes_on(root: Path, edition: Editions) -> None:
    """A store takes another bundle after whatever has happened to it."""
    at(root).install(edition("9"))
    assert loaded(at(root)) == "9"


def test_kill_9_at_every_step(case: Any, edition: Editions, record_property: Callable[..., None]) -> None:
    start, act, expected = case
    count = steps(start, act, edition)
    wrong, folders = 0, copies(start)
    for step in range(count):
        root = next(folders)
        assert in_child(lambda root=root, step=step: act(at(root, killing(step)), edition)) == -signal.SIGKILL
        wrong += loaded(at(root)) not in expected
        if step % 5 == 0:
            goes_on(root, edition)
    record_property("kills", count)
    record_property("loads after a fault", count)
    record_property(WRONG, wrong)
    assert wrong == 0


STEPS_OF_A_COPY = 5  # of the journal: remove the old, write, sync, rename, sync the folder


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_from_a_step_on(
    case: Any, edition: Editions, record_property: Callable[..., None], number: int
) -> None:
    """Full, read-only from now on, or broken."""
    start, act, expected = case
    count = steps(start, act, edition)
    wrong, silent, folders = 0, 0, copies(start)
    for step in range(count):
        root = next(folders)
        try:
            act(at(root, failing(step, number)), edition)
        except StorageError:
            pass
        else:  # all was done but for the copy of the journal
            silent += 1
            wrong += loaded(at(root)) != expected[-1]
        wrong += loaded(at(root, failing(0, number))) not in expected  # while the disk still fails
        wrong += loaded(at(root)) not in expected
    goes_on(root, edition)
    record_property("disk errors", count)
    record_property("loads after a fault", 2 * count)
    record_property(WRONG, wrong)
    assert wrong == 0 and silent <= STEPS_OF_A_COPY


def test_power_cuts_with_torn_and_reordered_writes(
    case: Any, edition: Editions, record_property: Callable[..., None], tmp_path: Path
) -> None:
    start, act, expected = case
    chance, torn, wrong = random.Random(SEED), 0, 0
    before = tree_of(start)
    disk = RecordingDisk(start)
    act(at(start, disk), edition)
    cuts = 150
    for _ in range(cuts):
        tree, lost = after_power_cut(before, disk.changes[: chance.randrange(len(disk.changes) + 1)], chance)
        root = tmp_path / "after"
        write_tree(tree, root)
        wrong += loaded(at(root)) not in expected
        if chance.random() < 0.1:
            goes_on(root, edition)
        shutil.rmtree(root)
        torn += lost
    write_tree(after_power_cut(before, disk.changes, random.Random(SEED))[0], root)
    assert loaded(at(root)) == expected[-1], "what has returned is durable"
    record_property("power cuts", cuts + 1)
    record_property("torn or lost writes", torn)
    record_property("loads after a fault", cuts + 1)
    record_property(WRONG, wrong)
    assert wrong == 0


def test_without_syncs_the_power_cuts_are_noticed(edition: Editions, tmp_path: Path) -> None:
    """Proof that the test above would fail."""
    start, chance, seen = tmp_path / "start", random.Random(SEED), set()
    at(start).install(edition("1"))
    before, disk = tree_of(start), RecordingDisk(start)
    at(start, disk).install(edition("2"))
    changes = [change for change in disk.changes if change.kind != "sync"]
    for number in range(40):
        write_tree(after_power_cut(before, changes, chance)[0], tmp_path / str(number))
        try:
            seen.add(verify_hashes(tmp_path / str(number) / "active").name)
        except BundleError:
            seen.add("damaged")
    assert "damaged" in seen


def test_kill_9_at_random_times(edition: Editions, store: Store, record_property: Callable[..., None]) -> None:
    root, chance, seen = store.folder.root, random.Random(SEED), Counter[str]()
    at(root).install(edition("1"))

    def work() -> None:
        for name in "2345678" * 1000:
            own = at(root, Disk())
            own.install(edition(name), again=True)
            if name in "36":
                own.rollback("bad")
            own.gc(2)

    kills = 200
    for _ in range(kills):
        child = os.fork()
        if not child:
            work()
            os._exit(0)
        time.sleep(chance.uniform(0, 0.15))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        seen[loaded(at(root))] += 1
    record_property(WRONG, seen[""])
    assert "" not in seen and len(seen) > 1
    with TokenClassifier.load(at(root).active, "cpu", "fp32") as classifier:
        assert classifier.predict("oil leak")
    goes_on(root, edition)
    record_property("kills", kills)
    record_property("loads after a fault", kills)


def test_every_file_of_the_source_and_of_the_active_bundle_damaged(
    edition: Editions, tmp_path: Path, record_property: Callable[..., None]
) -> None:
    """Truncated, swapped with another, missing, one more: refused at install, and rolled back from where active."""
    names = sorted(path.relative_to(edition("2")) for path in edition("2").rglob("*") if path.is_file())
    start, count = tmp_path / "start", 0
    for name in "12":
        at(start).install(edition(name))
    folders, sources = copies(start), copies(_own(edition("3"), tmp_path))
    for name in names:
        for harm in (_truncate, _swap, _lose, _add):
            if harm is _truncate and not (edition("2") / name).stat().st_size:
                continue
            root, source, count = next(folders), next(sources), count + 2
            harm(source / name)
            with pytest.raises(BundleError):
                Store(root, trial=0, disk=FastDisk()).install(source)
            assert loaded(at(root)) == "2"
            harm(root / "active" / name)
            assert loaded(at(root)) == "1", (name, harm)
            events = at(root).listing().events
            assert [event.action for event in events[-1:]] == ["rollback"] and events[-1].reason
    record_property("damaged files", count)
    record_property("loads after a fault", count)


def _own(bundle: Path, folder: Path) -> Path:
    return Path(shutil.copytree(bundle, folder / "source"))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _swap(path: Path) -> None:
    """For another file of the bundle that differs."""
    bundle = path.parent if (path.parent / "manifest.json").exists() else path.parent.parent
    others = [other.read_bytes() for other in sorted(bundle.rglob("*")) if other.is_file()]
    path.write_bytes(next(data for data in others if data != path.read_bytes()))


def _lose(path: Path) -> None:
    path.unlink()


def _add(path: Path) -> None:
    path.with_name(f"{path.name}.more").write_bytes(b"")


def test_two_installs_at_once(edition: Editions, store: Store, record_property: Callable[..., None]) -> None:
    root, rounds = store.folder.root, 10
    at(root).install(edition("1"))
    for _ in range(rounds):
        children = []
        for name in "23":
            child = os.fork()
            if not child:
                try:
                    at(root).install(edition(name), again=True)
                except EdgenerError as error:
                    os._exit(0 if "another process installs" in error.message else 1)
                except BaseException:  # noqa: BLE001 - nothing of pytest's may run in the fork
                    os._exit(2)
                os._exit(0)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
        assert loaded(at(root)) in "23"
    record_property("installs at once", 2 * rounds)
    record_property("loads after a fault", rounds)


@pytest.mark.parametrize("years", [-56, 0, 75])
def test_a_clock_that_is_years_off_changes_no_order(
    edition: Editions, store: Store, monkeypatch: pytest.MonkeyPatch, years: int
) -> None:
    class Clock:
        year = 2026

        @classmethod
        def now(cls, zone: Any) -> datetime:
            return datetime(cls.year, 1, 1, tzinfo=timezone.utc)

    monkeypatch.setattr(journal, "datetime", Clock)
    at(store.folder.root).install(edition("1"))
    Clock.year += years
    at(store.folder.root).install(edition("2"))
    Clock.year = 2026
    at(store.folder.root).install(edition("3"))
    assert at(store.folder.root).rollback("bad").name == "2"
    assert [event.number for event in at(store.folder.root).listing().events] == [*range(1, 8)]


def test_too_little_space_is_said_before_anything_is_written(edition: Editions, store: Store) -> None:
    class Small(WatchedDisk):
        def free(self, folder: Path) -> int:
            return 100_000

    at(store.folder.root).install(edition("1"))
    disk = Small(lambda count: None)
    with pytest.raises(StorageError, match=r"has 100,000 bytes left, expected [\d,]+ for") as raised:
        at(store.folder.root, disk).install(edition("2"))
    assert "gc" in str(raised.value.hint) and loaded(at(store.folder.root)) == "1"
    assert "staging" not in str(tree_of(store.folder.root))


def test_a_damaged_active_bundle_on_a_read_only_disk(edition: Editions, store: Store) -> None:
    root = store.folder.root
    for name in "12":
        at(root).install(edition(name))
    (store.active / "tokenizer.json").write_text("{}", encoding="utf-8")
    for _ in range(3):
        assert loaded(at(root, failing(0, errno.EROFS))) == "1"
    (root / "bundles" / _version(at(root), "1") / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match="damaged"):
        at(root, failing(0, errno.EROFS)).load(verify_hashes)
