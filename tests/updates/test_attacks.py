"""Attacks on a repository and on the way to it: python-tuf's own client and ours refuse the same."""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp
from tuf.ngclient._internal import trusted_metadata_set

from edgener_runtime.errors import BundleError, UserInputError
from edgener_runtime.updates import repository as ours

from .bench import Device, Publisher, keyring, make_keys, plain_client, variants

pytestmark = pytest.mark.trust
UTC = datetime.timezone.utc
Record = Callable[[str, int], None]
Attack = Callable[[Publisher, Path, Path], None]


def metadata(publisher: Publisher, name: str) -> Path:
    return publisher.folder / "metadata" / name


def replay(publisher: Publisher, old: Path, stranger: Path) -> None:
    """Rollback: the whole repository as it was."""
    shutil.rmtree(publisher.folder)
    shutil.copytree(old, publisher.folder)


def old_timestamp(publisher: Publisher, old: Path, stranger: Path) -> None:
    """Rollback of the timestamp alone."""
    shutil.copyfile(old / "metadata" / "timestamp.json", metadata(publisher, "timestamp.json"))


def old_snapshot(publisher: Publisher, old: Path, stranger: Path) -> None:
    """Mix-and-match: an old snapshot under the new number."""
    shutil.copyfile(old / "metadata" / "1.snapshot.json", metadata(publisher, "2.snapshot.json"))


def old_targets(publisher: Publisher, old: Path, stranger: Path) -> None:
    """Mix-and-match: old targets under the new number."""
    shutil.copyfile(old / "metadata" / "1.targets.json", metadata(publisher, "2.targets.json"))


def old_channel(publisher: Publisher, old: Path, stranger: Path) -> None:
    """Mix-and-match: the old list of releases under the new hash."""
    new = next(
        path
        for path in (publisher.folder / "targets" / "channels").iterdir()
        if not (old / "targets" / "channels" / path.name).exists()
    )
    shutil.copyfile(next((old / "targets" / "channels").iterdir()), new)


def freeze(publisher: Publisher, old: Path, stranger: Path) -> None:
    """Freeze: the state of last year, signed well, held back since then."""
    sign(publisher.keys, metadata(publisher, "timestamp.json"), Timestamp, days=-1)


def endless_timestamp(publisher: Publisher, old: Path, stranger: Path) -> None:
    """Endless data instead of the timestamp."""
    metadata(publisher, "timestamp.json").write_bytes(b" " * 10_000_000)


def endless_targets(publisher: Publisher, old: Path, stranger: Path) -> None:
    """Endless data behind the signed targets."""
    with metadata(publisher, "2.targets.json").open("ab") as file:
        file.write(b" " * 10_000_000)


def endless_root(publisher: Publisher, old: Path, stranger: Path) -> None:
    """Endless data as the next root."""
    metadata(publisher, "2.root.json").write_bytes(b" " * 10_000_000)


def stranger_timestamp(publisher: Publisher, old: Path, stranger: Path) -> None:
    """A timestamp of another's key."""
    sign(stranger, metadata(publisher, "timestamp.json"), Timestamp, days=9)


def stranger_root(publisher: Publisher, old: Path, stranger: Path) -> None:
    """A next root of another's keys, well signed by these alone."""
    root = Metadata[Root].from_file(str(publisher.root))
    root.signed.version = 2
    ring = keyring(stranger)
    for key in ring.public["root"].values():
        root.signed.add_key(key, "root")
    root.signatures.clear()
    for signer in ring.signers_of(ring.public["root"]):
        root.sign(signer, append=True)
    root.to_file(str(metadata(publisher, "2.root.json")))


def stolen_online_keys(publisher: Publisher, old: Path, stranger: Path) -> None:
    """Timestamp and snapshot keys were stolen: they name targets that the targets key did not sign."""
    path = metadata(publisher, "2.targets.json")
    targets = Metadata[Targets].from_file(str(path))
    targets.signed.version = 3
    data = targets.to_bytes()
    metadata(publisher, "3.targets.json").write_bytes(data)
    snapshot = Metadata[Snapshot].from_file(str(metadata(publisher, "2.snapshot.json")))
    snapshot.signed.version = 3
    snapshot.signed.meta["targets.json"] = MetaFile(3, len(data))
    signers = keyring(publisher.keys)
    for signer in signers.signers_of(signers.public["snapshot"]):
        snapshot.sign(signer)
    snapshot.to_file(str(metadata(publisher, "3.snapshot.json")))
    timestamp = Metadata[Timestamp].from_file(str(metadata(publisher, "timestamp.json")))
    timestamp.signed.version = 3
    timestamp.signed.snapshot_meta = MetaFile(3)
    for signer in signers.signers_of(signers.public["timestamp"]):
        timestamp.sign(signer)
    timestamp.to_file(str(metadata(publisher, "timestamp.json")))


def captive_portal(publisher: Publisher, old: Path, stranger: Path) -> None:
    """A hotel's page instead of every file."""
    for path in publisher.folder.rglob("*.json"):
        path.write_bytes(b"<html>Welcome! Accept our terms.</html>")
    metadata(publisher, "2.root.json").write_bytes(b"<html>Welcome! Accept our terms.</html>")


def sign(keys: Path, path: Path, kind: Any, days: int) -> None:
    """Sign metadata anew, one version on."""
    part = Metadata[kind].from_file(str(path))
    part.signed.version += 1
    part.signed.expires = datetime.datetime.now(UTC).replace(microsecond=0) + datetime.timedelta(days=days)
    ring = keyring(keys)
    part.signatures.clear()
    for signer in ring.signers_of(ring.public[kind.type]):
        part.sign(signer, append=True)
    part.to_file(str(path))


ATTACKS = (
    replay, old_timestamp, old_snapshot, old_targets, old_channel, freeze, endless_timestamp, endless_targets,
    endless_root, stranger_timestamp, stranger_root, stolen_online_keys, captive_portal,
)  # fmt: skip
CACHED = (old_snapshot, old_targets, old_channel, endless_targets)  # seen where a device fetches them
BEFORE_ANY_TRUST = {old_snapshot, old_targets, old_channel, freeze, stranger_root}  # a new device sees these too


def refused_by_plain_client(
    publisher: Publisher, home: Path, root: bytes, channel: str = "channels/stable.json"
) -> None:
    with pytest.raises((RepositoryError, DownloadError)):
        client = plain_client(publisher.folder, home, root)
        client.refresh()
        info = client.get_targetinfo(channel)
        assert info is not None
        client.download_target(info)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_and_the_bundle_stays(
    publisher: Publisher, device: Device, other_keys: Path, tmp_path: Path, attack: Attack, record_property: Record
) -> None:
    publisher.publish(variants())
    old = publisher.save("old")
    publisher.publish(variants(int8=b"second" * 100))
    root = publisher.root.read_bytes()
    device.pull(publisher.root)
    client = plain_client(publisher.folder, tmp_path / "plain", root)
    client.refresh()
    before = device.files()
    new = publisher.save("new")
    attack(publisher, old, other_keys)
    if attack in CACHED:
        for path in (*(tmp_path / "plain").rglob("*.json"), *device.state.rglob("*.json")):
            if path.name in ("snapshot.json", "targets.json", "channels%2Fstable.json"):
                path.unlink()
    refused_by_plain_client(publisher, tmp_path / "plain", root)
    with pytest.raises(BundleError) as caught:
        device.pull()
    assert caught.value.exit_code == 5 and caught.value.hint and "Traceback" not in str(caught.value)
    assert device.files() == before
    shutil.rmtree(publisher.folder)  # the attack ends: the device goes on
    shutil.copytree(new, publisher.folder)
    record_property("attacks on updates, refused by python-tuf's client and ours", 1)
    if attack is stolen_online_keys:  # the device has seen later versions; new keys make it forget them
        publisher.rotate(make_keys(tmp_path / "after-the-theft"))
    assert device.pull().state == "unchanged"


@pytest.mark.parametrize("attack", sorted(BEFORE_ANY_TRUST, key=lambda attack: attack.__name__))
def test_a_new_device_refuses_it_too(
    publisher: Publisher, device: Device, other_keys: Path, tmp_path: Path, attack: Attack
) -> None:
    publisher.publish(variants())
    old, root = publisher.save("old"), publisher.root.read_bytes()
    publisher.publish(variants(int8=b"second" * 100))
    attack(publisher, old, other_keys)
    refused_by_plain_client(publisher, tmp_path / "plain", root)
    with pytest.raises(BundleError):
        device.pull(old / "metadata" / "1.root.json")
    assert not device.bundle.exists()


def test_every_signed_file_that_is_changed_is_refused(
    publisher: Publisher, device: Device, tmp_path: Path, record_property: Record
) -> None:
    """One byte of each file that the device fetches, metadata and targets, in turn."""
    publisher.publish(variants())
    trusted = tmp_path / "trusted.json"
    shutil.copyfile(publisher.root, trusted)
    device.pull(trusted)
    count = 0
    for path in sorted(path for path in publisher.folder.rglob("*") if path.is_file() and path != publisher.root):
        data = path.read_bytes()
        fresh = Device(tmp_path / f"fresh-{path.name[:20]}", publisher.folder)
        path.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
        if device.files().get("variants/int8.onnx") != data and b"f" * 100 in data:
            continue  # the other variant
        with pytest.raises(BundleError):
            fresh.pull(trusted)
        assert not fresh.bundle.exists()
        path.write_bytes(data)
        count += 1
    record_property("changed files of a repository, refused", count)


def test_keys_are_rotated_and_the_old_ones_are_worth_nothing(
    publisher: Publisher, device: Device, other_keys: Path, tmp_path: Path
) -> None:
    publisher.publish(variants())
    root, old = publisher.root.read_bytes(), publisher.keys
    device.pull(publisher.root)
    publisher.rotate(other_keys)
    publisher.publish(variants(int8=b"after" * 50))
    assert device.pull().state == "updated"
    assert (device.state / "metadata" / "root_history" / "2.root.json").is_file()
    plain_client(publisher.folder, tmp_path / "plain", root).refresh()
    sign(old, metadata(publisher, "timestamp.json"), Timestamp, days=9)
    refused_by_plain_client(publisher, tmp_path / "plain", root)
    with pytest.raises(BundleError, match="not signed by enough"):
        device.pull()


def test_a_device_that_slept_through_many_rotations_follows(
    publisher: Publisher, device: Device, tmp_path: Path
) -> None:
    publisher.publish(variants())
    device.pull(publisher.root)
    for number in range(5):
        publisher.rotate(make_keys(tmp_path / f"keys-{number}"))
    publisher.publish(variants(int8=b"later" * 50))
    assert device.pull().state == "updated"


def test_a_root_of_one_key_too_few_is_refused(publisher: Publisher, device: Device, tmp_path: Path) -> None:
    publisher.keys = make_keys(tmp_path / "three", {"root": 3, "targets": 2, "snapshot": 1, "timestamp": 1})
    publisher.publish(variants(), thresholds={"root": 2, "targets": 2})
    root = publisher.root.read_bytes()
    device.pull(publisher.root)
    path = metadata(publisher, "1.targets.json")
    targets = json.loads(path.read_bytes())
    targets["signatures"] = targets["signatures"][:1]
    path.write_text(json.dumps(targets, separators=(",", ":")))
    shutil.rmtree(device.state / "metadata")
    refused_by_plain_client(publisher, tmp_path / "plain", root)
    with pytest.raises(BundleError):
        device.pull()


def test_a_rotation_without_the_old_keys_writes_nothing(publisher: Publisher, other_keys: Path) -> None:
    publisher.publish(variants())
    before = sorted(path.name for path in (publisher.folder / "metadata").iterdir())
    publisher.keys = other_keys
    with pytest.raises(UserInputError, match="old root's keys"):
        publisher.rotate(other_keys)
    assert sorted(path.name for path in (publisher.folder / "metadata").iterdir()) == before


def set_clock(monkeypatch: pytest.MonkeyPatch, year: int) -> None:
    """The clock of python-tuf and ours in another year."""
    then = datetime.datetime.now(UTC).replace(year=year)

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return then

    shim = SimpleNamespace(datetime=Clock, timezone=datetime.timezone, timedelta=datetime.timedelta)
    monkeypatch.setattr(trusted_metadata_set, "datetime", shim)
    monkeypatch.setattr(ours, "datetime", shim)


@pytest.mark.parametrize(
    ("year", "says"), [(1970, "behind"), (2020, "behind"), (2035, "has expired"), (2200, "has expired")]
)
def test_a_clock_that_is_years_off_is_said(
    publisher: Publisher, device: Device, monkeypatch: pytest.MonkeyPatch, year: int, says: str
) -> None:
    publisher.publish(variants())
    device.pull(publisher.root)
    before = device.files()
    with monkeypatch.context() as patch:
        set_clock(patch, year)
        with pytest.raises(BundleError, match=says) as caught:
            device.pull()
    assert "clock" in str(caught.value) and str(year) in str(caught.value)
    assert device.files() == before
    assert device.pull().state == "unchanged"
