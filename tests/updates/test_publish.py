"""What edgener publish writes, and what it refuses to sign."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ec
from tuf.api.metadata import Metadata, Root

from edgener.cli.main import main
from edgener.publish.publish import KEEP, with_release
from edgener_runtime.base.partial import locked
from edgener_runtime.cli.main import main as runtime
from edgener_runtime.errors import BundleError, UserInputError
from edgener_runtime.updates.release import Channel, ChannelRelease

from .bench import Publisher, make_keys, variants, write_key

BUNDLE = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "bundle"


def command(*arguments: object, of: Any = main) -> Result:
    return CliRunner().invoke(of, [str(each) for each in arguments], env={"EDGENER_KEY_PASSWORD": ""})


def files(publisher: Publisher) -> set[str]:
    return {path.name.split(".")[0] for path in (publisher.folder / "targets" / "files").iterdir()}


def test_a_bundle_is_published_and_pulled_by_the_commands(tmp_path: Path, keys: Path) -> None:
    done = command("publish", BUNDLE, tmp_path / "updates", "--keys", keys, "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.output)
    root = tmp_path / "updates" / "metadata" / "1.root.json"
    pull = ("pull", tmp_path / "updates", "--out", tmp_path / "bundle", "--variant", "int8-dynamic", "--device-id", "d")
    done = command(*pull, "--root", root, "--json", of=runtime)
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["version"] == record["release"]["version"]
    done = command("predict", tmp_path / "bundle", "oil leak at the pump", of=runtime)
    assert done.exit_code == 0 and "entities" in done.output
    assert not (tmp_path / "bundle" / "variants" / "fp32.onnx").exists()
    done = command(*pull, of=runtime)
    assert "up to date" in done.output and "2 requests" in done.output


def test_a_pull_into_a_store_activates_what_it_tested(tmp_path: Path, keys: Path) -> None:
    assert command("publish", BUNDLE, tmp_path / "updates", "--keys", keys).exit_code == 0
    root = tmp_path / "updates" / "metadata" / "1.root.json"
    pull = ("pull", tmp_path / "updates", "--store", tmp_path / "store", "--variant", "fp32", "--device-id", "d")
    done = command(*pull, "--root", root, of=runtime)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "store" / "active" / "variants" / "fp32.onnx").is_file()
    assert "up to date" in command(*pull, of=runtime).output
    done = command(*pull[:-4], "--variant", "int8-dynamic", "--device-id", "d", of=runtime)
    assert done.exit_code == 0 and "without the variant int8-dynamic" in done.output


def test_a_release_that_failed_on_the_device_is_not_tried_again(tmp_path: Path, keys: Path) -> None:
    from edgener_runtime.bundle.store.store import Store

    assert command("publish", BUNDLE, tmp_path / "updates", "--keys", keys).exit_code == 0
    root = tmp_path / "updates" / "metadata" / "1.root.json"
    pull = ("pull", tmp_path / "updates", "--store", tmp_path / "store", "--variant", "fp32", "--device-id", "d")
    assert command(*pull, "--root", root, of=runtime).exit_code == 0
    other = Path(shutil.copytree(BUNDLE, tmp_path / "other"))
    record = json.loads((other / "manifest.json").read_text(encoding="utf-8"))
    (other / "manifest.json").write_text(json.dumps(record | {"name": "other"}, sort_keys=True), encoding="utf-8")
    for path in other.glob("measured.json"):
        path.unlink()
    assert command("publish", other, tmp_path / "updates", "--keys", keys).exit_code == 0
    assert command(*pull, of=runtime).exit_code == 0
    Store(tmp_path / "store").rollback("it missed part numbers")
    done = command(*pull, "--json", of=runtime)
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["state"] == "refused" and "missed part numbers" in found["reason"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("a",), "expected BUNDLE and REPOSITORY"),
        (("a", "b", "--refresh"), "expected REPOSITORY alone"),
        (("a", "--refresh", "--rotate"), "not both"),
        (("a", "--rotate"), "go together"),
        (("a", "b", "--old-keys", "k"), "go together"),
        (("a", "b", "--threshold", "root"), "expected ROLE=N"),
        (("a", "b", "--threshold", "root=0"), "expected ROLE=N"),
        (("a", "b", "--threshold", "boss=1"), "expected ROLE=N"),
        (("a", "b", "--share", "101"), "101"),
    ],
)
def test_a_wrong_call_is_said(arguments: tuple[str, ...], says: str, keys: Path) -> None:
    done = command("publish", *arguments, "--keys", keys)
    assert done.exit_code == 2 and says in done.output


def test_files_are_kept_once_and_those_of_no_release_are_removed(publisher: Publisher) -> None:
    first = publisher.publish(variants())
    size = sum(file.size for file in first.release.all_files)
    assert first.added == size
    second = publisher.publish(variants(int8=b"2" * 500))
    assert second.added < 1500
    for number in range(KEEP + 1):
        publisher.publish(variants(int8=b"%d" % number * 400))
    gone = {file.sha256 for file in first.release.variants["int8"]}
    assert not gone & files(publisher)
    assert {file.sha256 for file in first.release.variants["fp32"]} <= files(publisher)


def test_a_channel_keeps_its_newest_and_one_for_every_device() -> None:
    channel = Channel("stable", ())
    for number in range(6):
        channel = with_release(channel, ChannelRelease(f"r{number}", 100 if number == 1 else 10))
    assert [each.version for each in channel.releases] == ["r5", "r4", "r3", "r1"]
    again = with_release(channel, ChannelRelease("r4", 50))
    assert [(each.version, each.share) for each in again.releases][:2] == [("r5", 10), ("r4", 50)]


def test_a_refresh_needs_the_key_of_the_timestamp_alone(publisher: Publisher, tmp_path: Path) -> None:
    publisher.publish(variants())
    online = tmp_path / "online"
    online.mkdir()
    for path in publisher.keys.glob("timestamp*"):
        shutil.copyfile(path, online / path.name)
        (online / path.name).chmod(0o600)
    done = command("publish", publisher.folder, "--refresh", "--keys", online, "--valid", "3")
    assert done.exit_code == 0, done.output
    assert "timestamp\tversion 2" in done.output and "targets\tversion 1" in done.output


def test_keys_that_are_missing_are_named_before_anything_is_written(publisher: Publisher, tmp_path: Path) -> None:
    few = make_keys(tmp_path / "few", {"root": 1, "targets": 1, "timestamp": 1})
    with pytest.raises(UserInputError, match="snapshot needs 1 keys"):
        publisher.publish(variants(), keys=few)
    assert not list((publisher.folder / "metadata").iterdir())
    publisher.publish(variants())
    before = sorted(path.name for path in (publisher.folder / "metadata").iterdir())
    with pytest.raises(UserInputError, match="are at hand"):
        publisher.publish(variants(int8=b"x"), keys=make_keys(tmp_path / "strangers"))
    assert sorted(path.name for path in (publisher.folder / "metadata").iterdir()) == before


def test_a_threshold_is_met_with_keys_that_are_kept_elsewhere(publisher: Publisher, tmp_path: Path) -> None:
    publisher.keys = make_keys(tmp_path / "three", {"root": 3, "targets": 1, "snapshot": 1, "timestamp": 1})
    (publisher.keys / "root-2.key").unlink()
    publisher.publish(variants(), thresholds={"root": 2})
    root = Metadata[Root].from_file(str(publisher.root))
    assert (len(root.signed.roles["root"].keyids), len(root.signatures)) == (3, 2)
    with pytest.raises(UserInputError, match="root needs 4 keys"):
        Publisher(tmp_path / "other", publisher.keys).publish(variants(), thresholds={"root": 4})


@pytest.mark.parametrize("part", ["timestamp.json", "1.snapshot.json", "1.targets.json", "1.root.json"])
def test_a_repository_that_was_changed_is_not_signed_again(publisher: Publisher, part: str) -> None:
    publisher.publish(variants())
    path = publisher.folder / "metadata" / part
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":2', 1))
    with pytest.raises(BundleError, match=r"damaged or was changed"):
        publisher.publish(variants(int8=b"x"))


def test_a_list_of_releases_that_was_changed_is_not_signed_again(publisher: Publisher) -> None:
    publisher.publish(variants(), share=1)
    path = next((publisher.folder / "targets" / "channels").iterdir())
    path.write_bytes(path.read_bytes().replace(b'"share":1', b'"share":9'))
    with pytest.raises(BundleError, match="was changed"):
        publisher.publish(variants(int8=b"x"))


@pytest.mark.parametrize("kind", ["another curve", "a password", "text", "none"])
def test_a_key_that_cannot_sign_is_named(tmp_path: Path, kind: str) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    if kind == "another curve":
        write_key(keys / "root", ec.SECP384R1())
    elif kind == "a password":
        write_key(keys / "root", password=b"secret")
    elif kind == "text":
        (keys / "root.key").write_text("-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----\n")
        (keys / "root.key").chmod(0o600)
    done = command("publish", BUNDLE, tmp_path / "updates", "--keys", keys)
    assert done.exit_code == 2 and "keys" in done.output
    assert not (tmp_path / "updates" / "metadata").exists()


def test_a_folder_of_something_else_is_not_written_to(publisher: Publisher) -> None:
    publisher.folder.mkdir()
    (publisher.folder / "letter.txt").write_text("dear")
    with pytest.raises(UserInputError, match="not a repository"):
        publisher.publish(variants())
    with pytest.raises(UserInputError, match="not a repository"):
        publisher.refresh()


def test_two_publishers_at_once(publisher: Publisher) -> None:
    publisher.publish(variants())
    with locked(publisher.folder), pytest.raises(UserInputError, match="another process"):
        publisher.publish(variants(int8=b"x"))
