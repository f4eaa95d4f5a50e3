"""The store: what is active, what a rollback returns to, what is kept, and what the journal says about it."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.bundle.manifest import Manifest, read_manifest
from edgener_runtime.bundle.store.journal import Switch
from edgener_runtime.bundle.store.store import MOST_STARTS, BundleChecks, Store
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import BundleError, DeviceError, EdgenerError, StorageError, StoreBusyError, UserInputError

from .disks import FastDisk, failing

Editions = Callable[[str], Path]


def name_of(store: Store) -> str:
    """The name of the bundle that is loaded."""
    return store.load(verify_bundle).name


def states(store: Store) -> dict[str, str]:
    return {entry.name: entry.state for entry in store.listing().bundles}


def test_an_installed_bundle_is_active_and_answers(store: Store, bundle: Path) -> None:
    entry = store.install(bundle)
    assert entry.version == read_manifest(bundle).version == store.listing().active
    with TokenClassifier.load(store.active, "cpu", "fp32") as classifier:
        assert classifier.predict("oil leak") and classifier.manifest.version == entry.version


def test_the_copy_outlives_its_source(store: Store, copy: Path) -> None:
    store.install(copy)
    shutil.rmtree(copy)
    assert name_of(store) == "tiny-factory"


def test_the_same_bundle_again_changes_nothing(store: Store, bundle: Path) -> None:
    first = store.install(bundle)
    assert store.install(bundle) == first
    assert len(store.listing().events) == 2


def test_a_rollback_returns_to_the_last_good_one_and_says_why(store: Store, edition: Editions) -> None:
    for name in "123":
        store.install(edition(name))
    assert store.rollback("misses part numbers").name == "2"
    assert name_of(store) == "2"
    assert states(store) == {"1": "good", "2": "good", "3": "failed"}
    [failed] = [entry for entry in store.listing().bundles if entry.name == "3"]
    assert failed.reason == "misses part numbers"
    assert store.rollback("and this one").name == "1"
    with pytest.raises(BundleError, match=r"no other good bundle; version .* stays active"):
        store.rollback("and this one")
    assert name_of(store) == "1"


def test_a_rollback_of_what_is_not_active_any_more_does_nothing(store: Store, edition: Editions) -> None:
    old = store.install(edition("1"))
    new = store.install(edition("2"))
    assert store.rollback("late", failed=old.version) == new


def test_a_version_that_has_failed_is_refused_until_it_is_asked_for_again(store: Store, edition: Editions) -> None:
    store.install(edition("1"))
    store.install(edition("2"))
    store.rollback("slow")
    with pytest.raises(BundleError, match="has failed on this device before: slow"):
        store.install(edition("2"))
    assert name_of(store) == "1"
    store.install(edition("2"), again=True)
    assert name_of(store) == "2"
    store.rollback("slow")
    assert store.gc() and states(store)["2"] == "failed"
    with pytest.raises(BundleError, match="slow"):
        store.install(edition("2"))
    assert store.install(edition("2"), again=True).state == "good"


def test_only_installed_is_not_active_and_no_target_of_a_rollback(store: Store, edition: Editions) -> None:
    store.install(edition("1"))
    waiting = store.install(edition("2"), activate=False)
    with pytest.raises(BundleError, match="no other good bundle"):
        store.rollback("try")
    assert store.gc(1) == () and name_of(store) == "1"
    assert store.activate(waiting.version[:6]).name == name_of(store) == "2"


@pytest.mark.parametrize("version", ["", "x", "0" * 16])
def test_an_unknown_version_is_named_with_those_there(store: Store, bundle: Path, version: str) -> None:
    entry = store.install(bundle)
    with pytest.raises(UserInputError) as raised:
        store.activate(version)
    assert entry.version in str(raised.value)


def test_gc_keeps_the_active_and_the_last_good_ones(store: Store, edition: Editions) -> None:
    for name in "12345":
        store.install(edition(name))
    store.rollback("bad")
    assert len(store.gc(2)) == 2
    assert states(store) == {"4": "good", "3": "good", "2": "good", "5": "failed"}
    assert sorted(path.name for path in (store.folder.root / "bundles").iterdir()) == sorted(
        entry.version for entry in store.listing().bundles if entry.name != "5"
    )
    assert name_of(store) == "4" and store.gc(2) == ()


def test_what_was_built_beside_a_bundle_goes_with_it(store: Store, edition: Editions) -> None:
    old = store.install(edition("1"))
    (store.folder.root / "bundles" / f"{old.version}.tuning.json").write_text("{}", encoding="utf-8")
    for name in "23":
        store.install(edition(name))
    assert store.gc(1) == (old.version,)
    assert not list((store.folder.root / "bundles").glob(f"{old.version}*"))


def test_a_selftest_that_fails_leaves_the_old_one(store: Store, edition: Editions) -> None:
    def fail(bundle: Path) -> None:
        raise DeviceError("its answers are not finite")

    store.install(edition("1"))
    strict = Store(store.folder.root, BundleChecks(selftest=fail), disk=FastDisk())
    with pytest.raises(DeviceError, match="not finite"):
        strict.install(edition("2"))
    assert name_of(store) == "1" and states(store) == {"1": "good"}
    assert store.listing().events[-1].action == "refuse"
    assert store.listing().events[-1].reason == "its answers are not finite"
    assert not store.folder.staging.exists()


def test_a_bundle_is_verified_on_the_copy_and_before_each_activation(store: Store, edition: Editions) -> None:
    checked: list[str] = []

    def verify(folder: Path) -> Manifest:
        checked.append(folder.name)
        return verify_bundle(folder)

    strict = Store(store.folder.root, BundleChecks(verify), 0, FastDisk())
    first, second = edition("1"), edition("2")
    entry = strict.install(first)
    strict.install(second)
    strict.rollback("try")
    assert checked == [first.name, "staging", second.name, "staging", entry.version]


# --- the trial


def test_a_bundle_on_trial_counts_as_good_once_it_is_confirmed(store: Store, edition: Editions) -> None:
    trying = Store(store.folder.root, trial=5, disk=FastDisk())
    entry = trying.install(edition("1"))
    assert (entry.state, entry.trial) == ("trial", 5)
    trying.confirm(entry.version)
    assert states(store) == {"1": "good"}


def test_a_rollback_prefers_the_good_to_the_unconfirmed(store: Store, edition: Editions) -> None:
    store.install(edition("1"))
    for name in "23":
        Store(store.folder.root).install(edition(name))
    assert store.rollback("bad").name == "1"
    assert store.rollback("bad too").name == "2"


@pytest.mark.parametrize("error", [DeviceError("out of memory"), UserInputError("no such variant")])
def test_on_trial_any_error_of_a_load_rolls_back(store: Store, edition: Editions, error: EdgenerError) -> None:
    def load(folder: Path) -> str:
        if (name := verify_bundle(folder).name) == "2":
            raise error
        return name

    store.install(edition("1"))
    trying = Store(store.folder.root)
    trying.install(edition("2"))
    assert trying.load(load) == name_of(store) == "1"
    assert states(store)["2"] == "failed"
    assert str(store.listing().events[-1].reason) == f"it cannot be loaded: {error.message}"


def test_an_error_of_the_device_does_not_roll_a_good_bundle_back(store: Store, edition: Editions) -> None:
    def fail(folder: Path) -> None:
        raise DeviceError("out of memory")

    store.install(edition("1"))
    store.install(edition("2"))
    with pytest.raises(DeviceError):
        store.load(fail)
    assert name_of(store) == "2"


def test_processes_that_do_not_end_in_order_roll_a_bundle_on_trial_back(store: Store, edition: Editions) -> None:
    store.install(edition("1"))
    trying = Store(store.folder.root)
    new = trying.install(edition("2"))
    for _ in range(2 * MOST_STARTS):  # in order: these do not count
        assert trying.load(verify_bundle, is_start=True).name == "2"
        trying.ended(new.version)
    for _ in range(MOST_STARTS):
        assert trying.load(verify_bundle, is_start=True).name == "2"
    assert trying.load(verify_bundle, is_start=True).name == "1"
    assert "did not end in order" in str(store.listing().events[-1].reason)


def test_on_a_read_only_disk_such_a_bundle_is_passed_over(store: Store, edition: Editions) -> None:
    store.install(edition("1"))
    trying = Store(store.folder.root, disk=FastDisk())
    trying.install(edition("2"))
    for _ in range(MOST_STARTS):
        trying.load(verify_bundle, is_start=True)
    fixed = Store(store.folder.root, disk=failing(0, errno.EROFS))
    for _ in range(3):
        assert fixed.load(verify_bundle, is_start=True).name == "1"
    assert states(store) == {"1": "good", "2": "trial"}


def test_the_only_bundle_is_not_rolled_back_from(store: Store, bundle: Path) -> None:
    def fail(folder: Path) -> None:
        raise DeviceError("out of memory")

    trying = Store(store.folder.root)
    trying.install(bundle)
    with pytest.raises(DeviceError):
        trying.load(fail)
    for _ in range(2 * MOST_STARTS):
        assert trying.load(verify_bundle, is_start=True).name == "tiny-factory"


# --- others at the same time, and damage


def test_a_second_install_is_locked_out_and_others_go_on(store: Store, edition: Editions) -> None:
    def meanwhile(folder: Path) -> None:
        with pytest.raises(StoreBusyError, match="another process installs"):
            Store(store.folder.root).install(edition("3"))
        assert store.rollback("while another is installed").name == "1"
        assert len(store.gc()) == 1

    for name in "12":
        store.install(edition(name))
    Store(store.folder.root, BundleChecks(selftest=meanwhile), disk=FastDisk()).install(edition("4"))
    assert states(store) == {"1": "good", "2": "failed", "4": "trial"}


def test_a_folder_that_is_not_a_store_is_named(tmp_path: Path, bundle: Path) -> None:
    for act in (Store.listing, Store.gc, lambda store: store.rollback("x"), lambda store: store.load(verify_bundle)):
        with pytest.raises(BundleError, match="is not a store") as raised:
            act(Store(tmp_path))
        assert "edgener-runtime install" in str(raised.value.hint)


def test_an_empty_store_says_that_there_never_was_a_bundle(store: Store, copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match="tokenizer"):
        store.install(copy)
    store.folder.create()
    with pytest.raises(BundleError, match="has no active bundle"):
        store.load(verify_bundle)


def test_a_lost_link_is_made_again(store: Store, edition: Editions) -> None:
    for name in "12":
        store.install(edition(name))
    store.active.unlink()
    assert name_of(store) == "2" and store.active.resolve().is_dir()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"bundles": 3}', "\x00" * 100, "{" * 100_000])
def test_a_damaged_journal_is_set_aside_and_the_bundles_stay(store: Store, edition: Editions, content: str) -> None:
    for name in "12":
        store.install(edition(name))
    (store.folder.root / "journal.json").write_text(content, encoding="utf-8")
    assert name_of(store) == "2"
    assert store.rollback("try").name == "1"
    assert (store.folder.root / "journal.json.damaged").read_text(encoding="utf-8") == content
    assert [event.action for event in store.listing().events][-2:] == ["repair", "rollback"]


def lose(*files: Path) -> None:
    for file in files:
        file.write_bytes(b"?" * file.stat().st_size)


def test_a_damaged_journal_does_not_forget_which_bundles_failed(
    store: Store, edition: Editions, caplog: pytest.LogCaptureFixture
) -> None:
    root = store.folder.root
    for name in "12":
        store.install(edition(name))
    store.rollback("misses part numbers")
    store.gc(1)
    events = store.listing().events
    lose(root / "journal.json")
    assert "journal.json cannot be read" in str(store.listing().damage)
    with pytest.raises(BundleError, match="has failed on this device before: misses part numbers"):
        store.install(edition("2"))
    store.install(edition("3"))
    assert "journal.copy.json is used" in caplog.text and store.listing().damage is None
    listing = store.listing()
    assert [event.action for event in listing.events[len(events) :]] == ["repair", "install", "activate"]
    assert "journal.json cannot be read" in str(listing.events[len(events)].reason)
    (root / "journal.json").unlink()
    assert states(store) == {"1": "good", "2": "failed", "3": "good"}


def test_without_both_journals_it_says_what_is_not_known(
    store: Store, edition: Editions, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "12":
        store.install(edition(name))
    store.rollback("slow")
    lose(store.folder.root / "journal.json", store.folder.root / "journal.copy.json")
    assert "which bundles failed here is not known any more" in str(store.listing().damage)
    assert name_of(store) == "1" and states(store) == {"1": "good", "2": "found"}
    store.install(edition("2"))
    assert "which bundles failed here is not known any more" in caplog.text
    assert store.listing().events[0].action == "repair"


def test_a_copy_of_the_journal_that_cannot_be_written_stops_nothing(store: Store, edition: Editions) -> None:
    store.install(edition("1"))
    copy = store.folder.root / "journal.copy.json"
    copy.unlink()
    copy.mkdir()
    (copy / "file").touch()
    store.install(edition("2"))
    assert name_of(store) == "2" and store.listing().damage is None


def test_what_killed_processes_left_is_removed_by_gc(store: Store, edition: Editions) -> None:
    store.install(edition("1"))
    root = store.folder.root
    for name in ("journal.json.new", "journal.copy.json.new", "active.new", "staging.tuning.json"):
        (root / name).touch()
    for name in ("staging", "staging.engines"):
        shutil.copytree(edition("1"), root / name)
    with store.folder.installing():  # it is another process's
        store.gc()
        assert (root / "staging").exists()
    store.gc()
    assert sorted(path.name for path in root.iterdir()) == ["active", "bundles", "journal.copy.json", "journal.json"]


def test_a_switch_to_a_version_that_is_not_there_is_an_error(store: Store, edition: Editions) -> None:
    store.install(edition("1"))
    with store.folder.changing() as journal, pytest.raises(BundleError, match="has no version 0123"):
        store.folder.switch(journal, Switch("0123", None, "activated"))
    assert name_of(store) == "1"


@pytest.mark.parametrize("folder", ["..", "../../etc", "/etc", "", "0123456789abcdef/.."])
def test_a_journal_that_names_another_folder_is_not_believed(store: Store, edition: Editions, folder: str) -> None:
    for name in "1234":
        store.install(edition(name))
    file = store.folder.root / "journal.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    record["bundles"][0]["folder"] = folder
    file.write_text(json.dumps(record), encoding="utf-8")
    store.gc(1)
    assert store.folder.root.is_dir() and name_of(store) == "4"


COUNTS = [10**4299, 2**53, -1]


@pytest.mark.parametrize("count", COUNTS, ids=["endless", "large", "negative"])
@pytest.mark.parametrize("field", ["number", "activated", "trial", "starts"])
def test_a_journal_with_counts_that_nothing_reaches_is_not_believed(
    store: Store, edition: Editions, field: str, count: int
) -> None:
    for name in "12":
        store.install(edition(name))
    file = store.folder.root / "journal.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    (record if field == "number" else record["bundles"][0])[field] = count
    file.write_text(json.dumps(record), encoding="utf-8")
    assert store.rollback("try").name == "1"
    assert "repair" in [event.action for event in store.listing().events]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_journal_that_is_a_pipe_is_set_aside(store: Store, edition: Editions) -> None:
    for name in "12":
        store.install(edition(name))
    file = store.folder.root / "journal.json"
    file.unlink()
    os.mkfifo(file)
    assert store.rollback("try").name == "1"


def test_a_link_that_a_copy_made_a_folder_is_an_error_and_the_last_good_one_answers(
    store: Store, edition: Editions
) -> None:
    """As cp -rL leaves a store."""
    for name in "12":
        store.install(edition(name))
    store.active.unlink()
    shutil.copytree(edition("1"), store.active)
    assert name_of(store) == "2"
    with pytest.raises(StorageError, match="directory"):
        store.rollback("try")


def test_a_later_field_of_the_journal_is_ignored(store: Store, bundle: Path) -> None:
    store.install(bundle)
    file = store.folder.root / "journal.json"
    file.write_text(file.read_text(encoding="utf-8").replace("{", '{"later": 1,', 1), encoding="utf-8")
    assert name_of(store) == "tiny-factory" and not file.with_suffix(".json.damaged").exists()


def test_a_damaged_copy_in_the_store_is_replaced_though_it_is_active(store: Store, bundle: Path) -> None:
    entry = store.install(bundle)
    (store.active / "tokenizer.json").write_text("{}", encoding="utf-8")
    again = store.install(bundle)
    assert replace(again, folder="", activated=0) == replace(entry, folder="", activated=0)
    assert name_of(store) == "tiny-factory"
    store.gc()
    assert [path.name for path in (store.folder.root / "bundles").iterdir()] == [again.folder]


def test_list_says_whose_files_gc_removed_and_what_is_damaged(store: Store, edition: Editions, run: Any) -> None:
    for name in "12":
        store.install(edition(name))
    store.rollback("slow")
    store.gc()
    words = ("list", "--store", store.folder.root)
    lines = {line.split("\t")[1]: line.split("\t")[2:] for line in run(*words).out.splitlines()}
    assert lines == {"1": ["good", "active"], "2": ["failed", "files removed", "slow"]}
    assert len(json.loads(run(*words, "--json").out)["removed"]) == 1
    lose(store.folder.root / "journal.json")
    done = run(*words)
    assert done.code == 0 and "journal.json cannot be read" in done.err and "journal.copy.json is used" in done.err
    assert len(done.out.splitlines()) == 2
