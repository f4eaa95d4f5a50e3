"""Roots that a device is given and must not trust: each is refused, and the one that it trusts stays."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root

from edgener_runtime.errors import BundleError, EdgenerError, UserInputError

from .bench import Device, Publisher, keyring, make_keys, variants

pytestmark = pytest.mark.trust
Change = Callable[[Publisher, Path], bytes]


def root_of(publisher: Publisher) -> Metadata[Root]:
    return Metadata[Root].from_file(str(publisher.root))


def signed(root: Metadata[Root], keys: Path) -> bytes:
    """Signed anew with the root's keys of a folder."""
    ring = keyring(keys)
    root.signatures.clear()
    for signer in ring.signers_of(ring.public["root"]):
        root.sign(signer, append=True)
    return bytes(root.to_bytes())


def of_another_repository(publisher: Publisher, folder: Path) -> bytes:
    other = Publisher(folder / "other", make_keys(folder / "keys"))
    other.publish(variants())
    return other.root.read_bytes()


def of_one_key_too_few(publisher: Publisher, folder: Path) -> bytes:
    root = root_of(publisher)
    root.signed.add_key(next(iter(keyring(make_keys(folder / "keys")).public["root"].values())), "root")
    root.signed.roles["root"].threshold = 2
    return signed(root, publisher.keys)


def without_signatures(publisher: Publisher, folder: Path) -> bytes:
    root = root_of(publisher)
    root.signatures.clear()
    return bytes(root.to_bytes())


def expired(publisher: Publisher, folder: Path) -> bytes:
    root = root_of(publisher)
    root.signed.expires = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    return signed(root, publisher.keys)


def without_consistent_snapshots(publisher: Publisher, folder: Path) -> bytes:
    root = root_of(publisher)
    root.signed.consistent_snapshot = False
    return signed(root, publisher.keys)


def changed_since(publisher: Publisher, folder: Path) -> bytes:
    record = json.loads(publisher.root.read_bytes())
    record["signed"]["version"] = 7
    return json.dumps(record).encode()


def other_metadata(publisher: Publisher, folder: Path) -> bytes:
    return (publisher.folder / "metadata" / "timestamp.json").read_bytes()


def private_key(publisher: Publisher, folder: Path) -> bytes:
    return (publisher.keys / "root-0.key").read_bytes()


WRONG: dict[Change, str] = {
    of_another_repository: "not signed by enough",
    of_one_key_too_few: "not signed by enough",
    without_signatures: "not signed by enough",
    expired: "has expired",
    without_consistent_snapshots: "no consistent snapshots",
    changed_since: "not signed by enough",
    other_metadata: "refused",
    private_key: "refused",
    lambda publisher, folder: b"": "refused",
    lambda publisher, folder: b"[" * 100_000: "refused",
    lambda publisher, folder: b'{"signed": null, "signatures": {}}': "refused",
    lambda publisher, folder: bytes(600_000): "at most",
}


@pytest.mark.parametrize("change", WRONG, ids=lambda change: change.__name__)
@pytest.mark.parametrize("is_new", [True, False], ids=["new device", "device with a bundle"])
def test_a_root_that_is_not_the_publishers_is_refused(
    publisher: Publisher, device: Device, tmp_path: Path, change: Change, is_new: bool
) -> None:
    publisher.publish(variants())
    if not is_new:
        device.pull(publisher.root)
    before, wrong = device.files(), tmp_path / "wrong.json"
    wrong.write_bytes(change(publisher, tmp_path))
    with pytest.raises(EdgenerError, match=WRONG[change]) as caught:
        device.pull(wrong)
    assert isinstance(caught.value, (BundleError, UserInputError)) and caught.value.hint
    assert "PRIVATE" not in str(caught.value)
    assert device.files() == before
    assert not [path for path in device.state.rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()]
    if is_new:
        with pytest.raises(UserInputError, match="no trusted root yet"):
            device.pull()
        assert device.pull(publisher.root).state == "updated"
    else:  # the one that it trusts was not replaced
        assert device.pull().state == "unchanged"


def test_a_later_root_than_the_repository_has_is_one_all_the_same(
    publisher: Publisher, device: Device, tmp_path: Path
) -> None:
    """It is signed by the publisher's keys, and who names it may come from another copy of the repository."""
    publisher.publish(variants())
    root = root_of(publisher)
    root.signed.version = 5
    (tmp_path / "later.json").write_bytes(signed(root, publisher.keys))
    assert device.pull(tmp_path / "later.json").state == "updated"
    assert device.pull().state == "unchanged"
