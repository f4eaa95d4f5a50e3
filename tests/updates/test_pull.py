"""A device follows a repository: what it fetches, what it keeps, and what is at its path at every moment."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgener.publish.publish import publish
from edgener_runtime.base.partial import locked
from edgener_runtime.bundle.slim import slim
from edgener_runtime.bundle.store.store import BundleChecks, Store
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import BundleError, DeviceError, EdgenerError, StorageError, TransferError, UserInputError
from edgener_runtime.updates import downloads
from edgener_runtime.updates.destination import StoreDestination
from edgener_runtime.updates.pull import PullRequest, PullResult, pull
from edgener_runtime.updates.release import PublishedFile, document, read_release
from edgener_runtime.updates.transports import folder
from edgener_runtime.updates.transports.archive import ArchiveTransport
from edgener_runtime.updates.transports.folder import FolderTransport

from .bench import Device, Publisher, keyring, plain_client, variants

BUNDLE = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "bundle"
SLACK = 64 * 1024


def test_a_device_gets_its_variant_and_what_all_have(publisher: Publisher, device: Device) -> None:
    done = publisher.publish(variants())
    result = device.pull(publisher.root)
    assert (result.state, result.version, result.missing) == ("updated", done.release.version, 3)
    assert sorted(device.files()) == ["manifest.json", "tokenizer.json", "variants/int8.onnx"]


def test_python_tufs_own_client_updates_from_our_repository(publisher: Publisher, tmp_path: Path) -> None:
    done = publisher.publish(variants())
    client = plain_client(publisher.folder, tmp_path / "plain", publisher.root.read_bytes())
    for file in done.release.all_files:
        info = client.get_targetinfo(f"files/{file.sha256}")
        assert info is not None
        assert Path(client.download_target(info)).stat().st_size == file.size


def test_a_version_with_one_changed_variant_moves_that_variant(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants())
    device.pull(publisher.root)
    changed = os.urandom(130_000)
    publisher.publish(variants(int8=changed))
    result = device.pull()
    assert result.state == "updated" and device.files()["variants/int8.onnx"] == changed
    assert len(changed) < result.received <= len(changed) + SLACK
    assert len(list((device.state / "documents").iterdir())) == 2 and not list((device.state / "files").iterdir())


def test_a_version_with_another_variant_changed_moves_no_variant(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants())
    device.pull(publisher.root)
    publisher.publish(variants(fp32=b"F" * 400_000))
    result = device.pull()
    assert result.state == "updated" and result.received < SLACK


@pytest.mark.trust
def test_the_slack_holds_with_many_files_and_releases(publisher: Publisher, device: Device) -> None:
    """20 variants with 3 files each, and as many releases in two channels as are kept."""

    def bundle(number: int) -> dict[str, dict[str, bytes]]:
        every = {
            f"v{index}": {f"variants/v{index}.{end}": b"%d%s" % (index, end.encode()) for end in "abc"}
            for index in range(20)
        }
        return {**every, "int8": {"variants/int8.onnx": os.urandom(100_000 + number)}}

    for number in range(4):
        publisher.publish(bundle(number), channel="beta")
        publisher.publish(bundle(10 + number))
    device.pull(publisher.root)
    publisher.publish(bundle(99))
    assert device.pull().received <= 100_099 + SLACK


def test_nothing_new_costs_two_requests(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants())
    device.pull(publisher.root)
    result = device.pull()
    assert (result.state, result.requests) == ("unchanged", 2)
    assert result.received < 1000


def test_a_damaged_small_file_is_fetched_again(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants())
    device.pull(publisher.root)
    whole = device.files()
    (device.bundle / "manifest.json").write_bytes(b"?" * len(whole["manifest.json"]))
    assert device.pull().missing == 1
    assert device.files() == whole


def test_another_variant_is_pulled_when_it_is_asked_for(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants())
    device.pull(publisher.root)
    device.pull(variant="fp32")
    assert "variants/fp32.onnx" in device.files() and "variants/int8.onnx" not in device.files()


def test_a_dry_run_fetches_no_file(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants())
    result = device.pull(publisher.root, dry_run=True)
    assert (result.state, result.missing_bytes > 120_000, device.bundle.exists()) == ("planned", True, False)
    assert result.received < 10_000


def test_a_release_for_some_devices_leaves_the_others(publisher: Publisher, tmp_path: Path) -> None:
    first = publisher.publish(variants()).release.version
    second = publisher.publish(variants(int8=b"new" * 100), share=30).release.version
    versions: list[str | None] = []
    for number in range(40):
        one = Device(tmp_path / f"d{number}", publisher.folder, name=f"device-{number}")
        versions.append(one.pull(publisher.root, dry_run=True).version)
    assert 4 <= versions.count(second) <= 22 and set(versions) == {first, second}


def test_without_a_release_for_it_a_device_waits(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants(), share=0)
    assert device.pull(publisher.root).state == "waiting"
    assert not device.bundle.exists()


def test_a_release_that_is_withdrawn_is_left_again(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants())
    device.pull(publisher.root)
    good = device.files()
    publisher.publish(variants(int8=b"bad" * 100))
    assert device.pull().state == "updated" and device.files() != good
    publisher.publish(variants(int8=b"bad" * 100), share=0)
    assert device.pull().state == "updated"
    assert device.files() == good


def test_channels_are_apart(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants(), channel="stable")
    publisher.publish(variants(int8=b"beta" * 9), channel="beta")
    device.pull(publisher.root, channel="beta")
    assert device.files()["variants/int8.onnx"] == b"beta" * 9
    assert device.pull(channel="stable").state == "updated"
    with pytest.raises(UserInputError, match="has no channel 'nightly'"):
        device.pull(channel="nightly")


def test_a_bundle_that_the_device_refuses_leaves_the_old_one_and_is_not_fetched_twice(
    publisher: Publisher, device: Device
) -> None:
    publisher.publish(variants())
    device.pull(publisher.root)
    before = device.files()
    publisher.publish(variants(int8=b"n" * 90_000))

    def refuse(bundle: Path) -> None:
        raise BundleError("needs a later runtime")

    for _ in range(2):
        with pytest.raises(BundleError, match="later runtime"):
            device.pull(verify=refuse)
        assert device.files() == before
    assert device.pull().received < 5_000


@pytest.mark.trust
def test_a_pull_that_is_interrupted_at_every_4_kilobytes(
    publisher: Publisher,
    device: Device,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, int], None],
) -> None:
    """As Ctrl-C does, which nothing of ours catches: the old bundle is whole, and the next pull continues."""
    publisher.publish(variants())
    device.pull(publisher.root)
    before, count = device.files(), 0
    publisher.publish(variants(int8=os.urandom(130_000)))
    monkeypatch.setattr(folder, "CHUNK", 4096)

    class Interrupted(FolderTransport):
        def read(self, path: str, offset: int) -> Iterator[bytes]:
            chunks = super().read(path, offset)
            yield from islice(chunks, 1)
            if next(chunks, None) is not None:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("edgener_runtime.updates.pull.open_transport", lambda *arguments: Interrupted(publisher.folder))
        while True:
            try:
                assert device.pull().state == "updated"
                break
            except KeyboardInterrupt:
                count += 1
                assert device.files() == before
    assert count == 130_000 // 4096
    assert device.pull().state == "unchanged"
    record_property("pulls interrupted and continued", count)


def test_the_first_pull_needs_a_root(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants())
    with pytest.raises(UserInputError, match="no trusted root yet") as caught:
        device.pull()
    assert "--root" in str(caught.value.hint)
    with pytest.raises(UserInputError, match="does not exist"):
        device.pull(publisher.folder / "nothing.json")


def test_a_root_that_is_not_one_is_refused(publisher: Publisher, device: Device, tmp_path: Path) -> None:
    publisher.publish(variants())
    for content in (b"", b"{}", b"[1]", b'{"signed": {}, "signatures": []}', b"\xff" * 100):
        (tmp_path / "root.json").write_bytes(content)
        with pytest.raises(BundleError):
            device.pull(tmp_path / "root.json")


@pytest.mark.parametrize("source", ["", "https://updates.invalid/ner"])
def test_a_missing_library_is_said_with_its_command(
    publisher: Publisher, device: Device, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    publisher.publish(variants())
    device.source = source or device.source
    monkeypatch.setitem(sys.modules, "edgener_runtime.updates.repository", None)
    monkeypatch.delattr("edgener_runtime.updates.repository", raising=False)
    with pytest.raises(DeviceError, match="library for updates") as caught:
        device.pull(publisher.root)
    assert "update" in str(caught.value.hint) and not device.state.exists()


def test_two_pulls_at_once(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants())
    device.pull(publisher.root)
    with locked(device.state), pytest.raises(DeviceError, match="another pull"):
        device.pull()


def test_too_little_space_is_said_before_anything_is_fetched(
    publisher: Publisher, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish(variants())
    device.pull(publisher.root)
    before = device.files()
    publisher.publish(variants(int8=b"n" * 90_000))
    usage: Any = SimpleNamespace(free=100_000)
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StorageError, match="MB free"):
        device.pull()
    assert device.files() == before


@pytest.mark.parametrize("is_one_disk", [True, False])
def test_the_space_is_that_of_one_bundle_and_on_two_disks_also_of_what_is_fetched(
    is_one_disk: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """30,000 bytes are missing, and 6 are copied from the bundle before."""
    needed: list[int] = []
    monkeypatch.setattr(downloads, "_are_on_one_disk", lambda *folders: is_one_disk)
    monkeypatch.setattr(downloads, "_require_free", lambda folder, size: needed.append(size))
    missing = [PublishedFile("a", "0" * 64, 30_000)]
    state = downloads.Downloads(tmp_path / "state", None)  # type: ignore[arg-type]
    state.require_space(missing, 30_006, tmp_path / "absent" / "bundle")
    assert needed == ([30_006] if is_one_disk else [30_000, 30_006])


@pytest.fixture
def store_pull(publisher: Publisher, keys: Path, tmp_path: Path) -> Callable[[Callable[[Path], object]], PullResult]:
    """`store_pull(selftest)` pulls a real bundle into a store."""
    manifest = verify_bundle(BUNDLE)
    publish(BUNDLE, manifest, slim, publisher.folder, "stable", keyring(keys), 100.0, 14, {})
    request = PullRequest(str(publisher.folder), "fp32", "stable", "device-1")

    def run(selftest: Callable[[Path], object]) -> PullResult:
        store = Store(tmp_path / "store", BundleChecks(selftest=selftest))
        return pull(request, StoreDestination(store, "fp32"), tmp_path / "store" / "updates", publisher.root)

    return run


def test_a_store_has_what_came_once_on_the_disk(
    store_pull: Callable[[Callable[[Path], object]], PullResult], tmp_path: Path
) -> None:
    seen: list[int] = []

    def selftest(bundle: Path) -> None:
        """In the middle of it: every file with this content is the same one."""
        size = (bundle / "variants" / "fp32.onnx").stat().st_size
        files = [path for path in (tmp_path / "store").rglob("*") if path.is_file() and path.stat().st_size == size]
        seen.append(len({path.stat().st_ino for path in files}))

    assert store_pull(selftest).state == "updated" and seen == [1]
    whole = sum(path.stat().st_size for path in (tmp_path / "store" / "active").resolve().rglob("*.onnx"))
    left = [path for path in (tmp_path / "store").rglob("*") if path.is_file() and path.stat().st_size >= whole]
    assert len(left) == 1 and left[0].stat().st_nlink == 1
    assert store_pull(selftest).state == "unchanged"


def test_what_a_store_refuses_is_kept_for_the_next_pull(
    store_pull: Callable[[Callable[[Path], object]], PullResult], tmp_path: Path
) -> None:
    def refuse(bundle: Path) -> None:
        raise DeviceError("too hot")

    with pytest.raises(DeviceError, match="too hot"):
        store_pull(refuse)
    assert not (tmp_path / "store" / "active").exists() and not (tmp_path / "store" / "staging").exists()
    result = store_pull(lambda bundle: None)
    assert result.state == "updated" and result.received < SLACK < result.size


def test_a_file_is_taken_from_an_archive(publisher: Publisher, device: Device, tmp_path: Path) -> None:
    publisher.publish(variants())
    archive = shutil.make_archive(str(tmp_path / "updates"), "tar", publisher.folder)
    device.source = archive
    assert device.pull(publisher.root).state == "updated"
    assert device.pull().state == "unchanged"


@pytest.mark.parametrize("kind", ["gztar", "truncated", "text", "empty"])
def test_what_is_not_a_whole_archive_is_said(publisher: Publisher, device: Device, tmp_path: Path, kind: str) -> None:
    publisher.publish(variants())
    archive = Path(
        shutil.make_archive(str(tmp_path / "updates"), "gztar" if kind == "gztar" else "tar", publisher.folder)
    )
    if kind == "truncated":
        archive.write_bytes(archive.read_bytes()[:5000])
    elif kind in ("text", "empty"):
        archive.write_bytes(b"not a tar\n" * 300 if kind == "text" else b"")
    device.source = archive
    with pytest.raises((BundleError, UserInputError, TransferError)):
        device.pull(publisher.root)
    assert not device.bundle.exists()


def test_a_pipe_on_a_stick_does_not_block(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants())
    (publisher.folder / "metadata" / "timestamp.json").unlink()
    os.mkfifo(publisher.folder / "metadata" / "timestamp.json")
    with pytest.raises(TransferError, match="pipe"):
        device.pull(publisher.root)


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../b", "a\\b", "C:x", "", ".", "a//b", "a/\0"])
def test_a_release_that_names_a_path_outside_is_refused(publisher: Publisher, path: str) -> None:
    """Even where it is signed: nothing that is published may write outside of the bundle."""
    release = publisher.publish(variants()).release
    files = (*release.files, replace(release.files[0], path=path))
    with pytest.raises(BundleError, match="path"):
        read_release(document(replace(release, files=files)), "the release")


@pytest.mark.parametrize("source", ["/nowhere/at/all", "ftp://example.org/x", "s3://bucket"])
def test_what_is_not_a_source_is_said(publisher: Publisher, device: Device, source: str) -> None:
    publisher.publish(variants())
    device.source = source
    with pytest.raises(UserInputError):
        device.pull(publisher.root)


def test_a_folder_that_is_not_a_repository_is_said(publisher: Publisher, device: Device, tmp_path: Path) -> None:
    publisher.publish(variants())
    device.source = tmp_path
    with pytest.raises(UserInputError, match=r"timestamp|metadata"):
        device.pull(publisher.root)


def test_a_folder_of_others_is_not_replaced(publisher: Publisher, device: Device) -> None:
    publisher.publish(variants())
    device.bundle.mkdir(parents=True)
    (device.bundle / "letter.txt").write_text("dear")
    with pytest.raises(UserInputError, match="not replaced"):
        device.pull(publisher.root)
    assert (device.bundle / "letter.txt").read_text() == "dear"


def test_a_bundle_that_is_removed_while_its_files_are_taken_is_said(
    publisher: Publisher, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish(variants())
    device.pull(publisher.root)
    publisher.publish(variants(int8=b"n" * 1000))
    before, copy = device.files(), downloads.shutil.copyfile

    def copy_of_what_is_gone(source: Path, final: Path) -> None:
        copy(source.with_name(f"{source.name}.gone"), final)

    with monkeypatch.context() as patch:
        patch.setattr(downloads.shutil, "copyfile", copy_of_what_is_gone)
        with pytest.raises(StorageError, match="was removed meanwhile"):
            device.pull()
    assert device.files() == before
    assert device.pull().state == "updated"


def test_a_bundle_that_is_removed_while_it_is_searched_has_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "file").write_bytes(b"content")
    find = Path.is_symlink

    def then_removed(path: Path) -> bool:
        found = find(path)
        path.unlink()
        return found

    monkeypatch.setattr(Path, "is_symlink", then_removed)
    assert downloads.LocalFiles([tmp_path / "bundle"]).find(PublishedFile("file", "0" * 64, 7)) is None


TAR_SIZES = {"back to itself": b"\xff" * 10 + b"\xfe\x00", "larger than any disk": b"\x80" + b"\xff" * 11}


@pytest.mark.parametrize("size", TAR_SIZES.values(), ids=TAR_SIZES)
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE], ids=["file", "header"])
def test_an_archive_with_impossible_sizes_is_refused(tmp_path: Path, kind: bytes, size: bytes) -> None:
    header = bytearray(tarfile.TarInfo("metadata").tobuf(tarfile.USTAR_FORMAT))
    header[124:136], header[156:157], header[148:156] = size, kind, b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    before = tarfile.TarInfo("before").tobuf(tarfile.USTAR_FORMAT)
    (tmp_path / "updates.tar").write_bytes(before + header + bytes(1024))
    with pytest.raises(EdgenerError, match=r"cannot be read|does not have"):
        list(ArchiveTransport(tmp_path / "updates.tar").read("metadata", 0))
