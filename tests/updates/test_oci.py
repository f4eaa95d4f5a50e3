"""Updates from an OCI registry, tested against Debian's docker-registry where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgener_runtime.errors import BundleError, TransferError, UserInputError
from edgener_runtime.updates.transports.open import open_transport

from .bench import QUICK, Device, Publisher, variants

pytestmark = pytest.mark.trust
SERVER = shutil.which("docker-registry")
CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a registry, and the folder of its blobs."""
    if SERVER is None:
        pytest.skip("docker-registry is not installed: apt-get install docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "config.yml").write_text(CONFIG.format(folder=folder / "data", port=port))
    process = subprocess.Popen(
        [SERVER, "serve", folder / "config.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"127.0.0.1:{port}", folder / "data"
    finally:
        process.terminate()
        process.wait()


def push(repository: Path, target: str) -> None:
    """Push a repository as one artifact, each file under its path."""
    import oras.provider

    files = sorted(path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file())
    before = Path.cwd()
    os.chdir(repository)
    try:
        client = oras.provider.Registry(insecure=True)
        titles = repository.with_name("titles.json")
        titles.write_text(json.dumps({name: {"org.opencontainers.image.title": f"./{name}"} for name in files}))
        layers = [f"{name}:application/octet-stream" for name in files]
        client.push(target, files=layers, annotation_file=str(titles), quiet=True)
    finally:
        os.chdir(before)


@pytest.fixture
def online(publisher: Publisher, device: Device, registry: tuple[str, Path]) -> Device:
    """A device whose source is the registry, which has the first release."""
    publisher.publish(variants())
    name = f"{registry[0]}/ner-{os.urandom(4).hex()}:latest"
    push(publisher.folder, name)
    device.source = f"oci://{name}"
    assert device.pull(publisher.root).state == "updated"
    return device


def test_a_device_follows_a_registry(online: Device, publisher: Publisher) -> None:
    assert online.pull().state == "unchanged"
    changed = os.urandom(130_000)
    publisher.publish(variants(int8=changed))
    push(publisher.folder, str(online.source).removeprefix("oci://"))
    result = online.pull()
    assert online.files()["variants/int8.onnx"] == changed
    assert result.received < 130_000 + 64 * 1024


def test_a_part_is_continued(online: Device, publisher: Publisher) -> None:
    changed = os.urandom(130_000)
    file = publisher.publish(variants(int8=changed)).release.variants["int8"][0]
    push(publisher.folder, str(online.source).removeprefix("oci://"))
    (online.state / "files" / f"{file.sha256}.part").write_bytes(changed[:100_000])
    assert online.pull().received < 60_000
    assert online.files()["variants/int8.onnx"] == changed


def test_a_blob_that_the_registry_changed_is_refused(
    online: Device, publisher: Publisher, registry: tuple[str, Path]
) -> None:
    file = publisher.publish(variants(int8=b"new" * 9000)).release.variants["int8"][0]
    push(publisher.folder, str(online.source).removeprefix("oci://"))
    before = online.files()
    blob = next(registry[1].rglob(f"{file.sha256}/data"))
    blob.write_bytes(b"bad" * 9000)
    with pytest.raises(BundleError, match="other bytes"):
        online.pull()
    assert online.files() == before


def test_an_artifact_that_is_not_there_is_said(online: Device, registry: tuple[str, Path]) -> None:
    online.source = f"oci://{registry[0]}/nothing:latest"
    with pytest.raises((UserInputError, TransferError)):
        online.pull()


@pytest.mark.parametrize("url", ["oci://", "oci://host", "oci:///name"])
def test_what_is_not_an_artifact_is_said(url: str) -> None:
    with pytest.raises(UserInputError, match="artifact"):
        open_transport(url, QUICK)
