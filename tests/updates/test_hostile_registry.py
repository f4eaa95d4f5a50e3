"""A hostile OCI registry: whatever it answers, the device keeps its bundle and says what is wrong."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.errors import BundleError, EdgenerError, TransferError, UserInputError

from .bench import QUICK, Device, Publisher, variants

pytestmark = pytest.mark.trust
TITLE = "org.opencontainers.image.title"
Layers = list[dict[str, Any]]


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Registry:
    """Serves a repository as an artifact; `manifest` and `blob` say what is answered in place of the right thing."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.manifest: Callable[[dict[str, Any]], Any] = lambda manifest: manifest
        self.blob: Callable[[str, bytes], bytes] = lambda path, data: data
        self.location: Callable[[str], str | None] = lambda path: None
        self.token: Iterator[bytes] | None = None
        self.accepts = True
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def files(self) -> dict[str, bytes]:
        found = (path for path in sorted(self.repository.rglob("*")) if path.is_file())
        return {path.relative_to(self.repository).as_posix(): path.read_bytes() for path in found}

    def layers(self) -> Layers:
        return [
            {"digest": digest_of(data), "size": len(data), "annotations": {TITLE: path}}
            for path, data in self.files().items()
        ]

    def __enter__(self) -> Registry:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.asked.append(self.path)
            self.close_connection = True
            if registry.token is not None and self.path.startswith("/v2/") and not self._has_token():
                self.send_response(401)
                self.send_header("Www-Authenticate", f'Bearer realm="http://{registry.host}/token",service="x"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if location := registry.location(self.path):
                self.send_response(307)
                self.send_header("Location", location)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.end_headers()
            try:
                for part in self._body():
                    self.wfile.write(part)
            except OSError:  # the client has gone
                pass

        def _has_token(self) -> bool:
            return registry.accepts and "Authorization" in self.headers

        def _body(self) -> Iterator[bytes]:
            if self.path.startswith("/token") and registry.token is not None:
                yield from registry.token
                return
            if "/manifests/" in self.path:
                answer = registry.manifest({"schemaVersion": 2, "layers": registry.layers()})
                yield from [json.dumps(answer).encode()] if isinstance(answer, dict) else answer
                return
            digest = self.path.rpartition("/")[2]
            for path, data in registry.files().items():
                if digest_of(data) == digest:
                    yield registry.blob(path, data)

        def log_message(self, *arguments: Any) -> None:
            """Nothing is printed."""

    return Handler


@pytest.fixture
def registry(publisher: Publisher) -> Iterator[Registry]:
    publisher.publish(variants())
    with Registry(publisher.folder) as serving:
        yield serving


@pytest.fixture
def online(publisher: Publisher, device: Device, registry: Registry) -> Device:
    """A device with the first release, for which there is a second one."""
    device.source = f"oci://{registry.host}/ner:latest"
    assert device.pull(publisher.root).state == "updated"
    publisher.publish(variants(int8=b"second" * 9000))
    return device


def each_layer(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def changed(manifest: dict[str, Any]) -> dict[str, Any]:
        for layer in manifest["layers"]:
            change(layer)
        return manifest

    return changed


def endless(manifest: dict[str, Any]) -> Iterator[bytes]:
    while True:
        yield b'{"layers": [' + b" " * 65536


INDEX = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [{"digest": digest_of(b""), "size": 0}],
}
MANIFESTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "an index": lambda manifest: INDEX,
    "no layers": lambda manifest: manifest | {"layers": []},
    "layers that are null": lambda manifest: manifest | {"layers": None},
    "layers that are numbers": lambda manifest: manifest | {"layers": [1, 2]},
    "a list": lambda manifest: [b"[]"],
    "nothing": lambda manifest: [b""],
    "not JSON": lambda manifest: [b"\xff\xfe<html>"],
    "folders in folders": lambda manifest: [b"[" * 1_000_000],
    "a long number": lambda manifest: [b'{"layers": ' + b"9" * 100_000 + b"}"],
    "no end": endless,
    "no annotations": each_layer(lambda layer: layer.pop("annotations")),
    "no titles": each_layer(lambda layer: layer["annotations"].clear()),
    "titles that are numbers": each_layer(lambda layer: layer["annotations"].update({TITLE: 5})),
    "titles that leave the folder": each_layer(
        lambda layer: layer["annotations"].update({TITLE: "../../../" + layer["annotations"][TITLE]})
    ),
    "titles of the root": each_layer(
        lambda layer: layer["annotations"].update({TITLE: "/" + layer["annotations"][TITLE]})
    ),
    "no digest": each_layer(lambda layer: layer.pop("digest")),
    "a digest of another kind": each_layer(lambda layer: layer.update(digest="md5:" + "0" * 32)),
    "a digest that is a path": each_layer(lambda layer: layer.update(digest="../../../v2/_catalog")),
    "a digest with a path behind it": each_layer(lambda layer: layer.update(digest=layer["digest"] + "/../x")),
    "a digest of nothing there": each_layer(lambda layer: layer.update(digest=digest_of(b"nothing"))),
    "digests of each other": lambda manifest: manifest | {"layers": swapped(manifest["layers"])},
}


def swapped(layers: Layers) -> Layers:
    """Each with the digest of the next."""
    return [layer | {"digest": other["digest"]} for layer, other in zip(layers, layers[1:] + layers[:1], strict=True)]


def refuses(device: Device) -> EdgenerError:
    before = device.files()
    with pytest.raises((BundleError, TransferError, UserInputError)) as caught:
        device.pull()
    assert caught.value.hint and device.files() == before
    assert not (device.home.parent / "metadata").exists()
    return caught.value


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
def test_a_hostile_manifest(online: Device, registry: Registry, manifest: Callable[[dict[str, Any]], Any]) -> None:
    registry.manifest = manifest
    refuses(online)
    assert not [path for path in registry.asked if "catalog" in path or "/../" in path]
    registry.manifest = lambda right: right
    assert online.pull().state == "updated"


BLOBS: dict[str, Callable[[bytes], bytes]] = {
    "other bytes": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "too little": lambda data: data[:-1],
    "too much": lambda data: data + b"x",
    "far too much": lambda data: data * 400,
    "nothing": lambda data: b"",
}


@pytest.mark.parametrize("where", ["timestamp.json", "2.snapshot.json", "2.targets.json", "channels/", "/files/"])
@pytest.mark.parametrize("blob", BLOBS.values(), ids=BLOBS)
def test_a_hostile_layer(online: Device, registry: Registry, where: str, blob: Callable[[bytes], bytes]) -> None:
    registry.blob = lambda path, data: blob(data) if where in path else data
    refuses(online)
    registry.blob = lambda path, data: data
    assert online.pull().state == "updated"


def test_layers_say_other_sizes_which_nothing_trusts(online: Device, registry: Registry) -> None:
    registry.manifest = each_layer(lambda layer: layer.update(size=-1 << 70))
    assert online.pull().state == "updated"


LOCATIONS: dict[str, Callable[[str], str]] = {
    "a loop": lambda path: path,
    "a longer and longer path": lambda path: f"{path}x",
    "a file of this machine": lambda path: "file:///etc/passwd",
    "another protocol": lambda path: "ftp://127.0.0.1/x",
    "no address": lambda path: "http://",
}


@pytest.mark.parametrize("kind", ["manifests", "blobs"])
@pytest.mark.parametrize("location", LOCATIONS.values(), ids=LOCATIONS)
def test_a_hostile_redirection(online: Device, registry: Registry, kind: str, location: Callable[[str], str]) -> None:
    registry.location = lambda path: location(path) if f"/{kind}/" in path else None
    refuses(online)
    assert len(registry.asked) < 200
    registry.location = lambda path: None
    assert online.pull().state == "updated"


def slowly(part: bytes) -> Callable[[dict[str, Any]], Iterator[bytes]]:
    def answer(manifest: dict[str, Any]) -> Iterator[bytes]:
        while True:
            yield part
            time.sleep(0.02)

    return answer


def test_a_manifest_that_drips_is_left(online: Device, registry: Registry) -> None:
    online.bounds = replace(QUICK, grace=0.2)
    registry.manifest = slowly(b" ")
    assert "has not arrived" in refuses(online).message


@pytest.mark.parametrize("part", [b" " * 65536, b" "], ids=["endless", "dripping"])
def test_a_registry_that_asks_for_a_token_that_never_ends(online: Device, registry: Registry, part: bytes) -> None:
    online.bounds = replace(QUICK, grace=0.2 if part == b" " else 60.0)
    registry.token = slowly(part)({})
    assert "token" in refuses(online).message
    registry.token = iter([b'{"token": "t"}'])
    assert online.pull().state == "updated"


def test_a_registry_that_refuses_its_own_token(online: Device, registry: Registry) -> None:
    registry.token = iter([b'{"token": 5}'] * 99)
    registry.accepts = False
    refuses(online)
    assert len(registry.asked) < 40


def test_a_registry_with_faults_is_asked_again_within_our_bounds(online: Device, registry: Registry) -> None:
    """The library would wait for minutes by itself."""
    registry.location = lambda path: "http://"
    before = len(registry.asked)
    refuses(online)
    assert len(registry.asked) - before == (QUICK.retries + 1) * (1 + 3)  # each with its redirections
