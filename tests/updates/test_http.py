"""Updates over HTTP from servers that cut, drip, never end, or are not what they seem."""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from edgener_runtime.errors import BundleError, DeviceError, TransferError, UserInputError
from edgener_runtime.updates.transports.base import MeteredTransport, TransferBounds
from edgener_runtime.updates.transports.http import HttpTransport
from edgener_runtime.updates.transports.open import open_transport

from .bench import QUICK, Device, Publisher, variants
from .server import FaultyServer

pytestmark = pytest.mark.trust


@pytest.fixture
def online(publisher: Publisher, device: Device, server: FaultyServer) -> Device:
    """A device with the first release, whose source is the server."""
    publisher.publish(variants())
    device.source = server.url
    device.pull(publisher.root)
    return device


def test_what_was_counted_is_what_was_sent(online: Device, publisher: Publisher, server: FaultyServer) -> None:
    publisher.publish(variants(int8=os.urandom(130_000)))
    before, asked = server.sent, len(server.paths)
    result = online.pull()
    assert (result.received, result.requests) == (server.sent - before, len(server.paths) - asked)


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize(("every", "length"), [(1_000, True), (7_000, True), (7_000, False), (129_999, False)])
def test_a_connection_that_is_cut_is_resumed(
    online: Device, publisher: Publisher, server: FaultyServer, every: int, length: bool, ranges: bool
) -> None:
    """Without ranges, the server must get through in one piece: otherwise the bundle stays, with an error."""
    content = os.urandom(130_000)
    publisher.publish(variants(int8=content))
    server.cut, server.ranges, server.length = every, ranges, length
    before = online.files()
    if ranges:
        result = online.pull()
        assert online.files()["variants/int8.onnx"] == content
        assert result.received < 130_000 + 64 * 1024
    else:
        with pytest.raises((TransferError, BundleError)):
            online.pull()
        assert online.files() == before
        server.cut = None
        assert online.pull().state == "updated"


def test_a_pull_that_was_ended_is_resumed_by_the_next(
    online: Device, publisher: Publisher, server: FaultyServer
) -> None:
    publisher.publish(variants(int8=os.urandom(130_000)))
    online.bounds = replace(QUICK, retries=0)
    server.cut = 50_000
    answers = cycle([200, 503])
    server.status = lambda path: next(answers) if "/files/" in path else 200
    before, failures = server.sent, 0
    while True:
        try:
            assert online.pull().state == "updated"
            break
        except TransferError:
            failures += 1
    assert 2 <= failures <= 4
    assert server.sent - before < 130_000 + 64 * 1024


def test_a_part_that_was_damaged_meanwhile_is_fetched_again(
    online: Device, publisher: Publisher, server: FaultyServer
) -> None:
    done = publisher.publish(variants(int8=os.urandom(130_000)))
    file = next(file for file in done.release.variants["int8"])
    part = online.state / "files" / f"{file.sha256}.part"
    part.write_bytes(b"\0" * 70_000)
    assert online.pull().state == "updated"
    assert not part.exists()


@pytest.mark.parametrize("status", [500, 503, 429, 401, 302])
def test_a_server_that_refuses_is_an_error_of_the_transfer(online: Device, server: FaultyServer, status: int) -> None:
    before = online.files()
    server.status = lambda path: status
    with pytest.raises(DeviceError, match=str(status)) as caught:
        online.pull()
    assert caught.value.exit_code == 6 and online.files() == before


def test_a_server_that_recovers_is_asked_again(online: Device, server: FaultyServer) -> None:
    answers = iter([503, 200, 502, 200])
    server.status = lambda path: next(answers, 200)
    assert online.pull().state == "unchanged"


@pytest.mark.parametrize("name", ["timestamp", "2.targets", "files/"])
def test_an_answer_without_an_end_is_refused(
    online: Device, publisher: Publisher, server: FaultyServer, name: str
) -> None:
    publisher.publish(variants(int8=b"next" * 1000))
    before, server.endless = server.sent, name
    with pytest.raises(BundleError):
        online.pull()
    assert server.sent - before < 20_000_000


def test_a_server_that_drips_is_left(online: Device, publisher: Publisher, server: FaultyServer) -> None:
    publisher.publish(variants(int8=b"next" * 1000))
    online.bounds = TransferBounds(timeout=5.0, grace=0.5, slowest=1000.0, retries=0, pause=0.0)
    server.drip = 0.05
    with pytest.raises(TransferError, match="bytes per second"):
        online.pull()


def test_a_server_that_says_nothing_is_left(online: Device, server: FaultyServer) -> None:
    online.bounds = TransferBounds(timeout=0.2, retries=1, pause=0.0)
    server.drip = 30.0
    with pytest.raises(TransferError):
        online.pull()


def test_a_server_that_is_not_there_is_said(online: Device, server: FaultyServer) -> None:
    online.source = "http://127.0.0.1:1/ner"
    with pytest.raises(TransferError, match="refused"):
        online.pull()


def test_what_is_not_encrypted_is_for_this_machine_alone() -> None:
    for url in ("http://example.org/x", "http://10.0.0.1/x", "http://localhost.example.org/"):
        with pytest.raises(UserInputError, match="https"):
            open_transport(url, QUICK)
    for url in ("https://example.org/x", "http://localhost:8000/x", "http://[::1]/x"):
        open_transport(url, QUICK).close()


def test_a_proxy_of_the_environment_is_used(
    online: Device, publisher: Publisher, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours passes any host: the source does not exist."""
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr("edgener_runtime.updates.transports.http._LOOPBACK", ("updates.invalid",))
    online.source = "http://updates.invalid"
    assert online.pull().state == "unchanged"
    assert any("updates.invalid" in path for path in server.paths)


def test_a_proxy_gets_its_own_name_and_password(
    online: Device, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("://", "://plant:pass%40word@"))
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr("edgener_runtime.updates.transports.http._LOOPBACK", ("updates.invalid",))
    online.source = "http://updates.invalid"
    server.proxy_users.clear()
    assert online.pull().state == "unchanged"
    assert set(server.proxy_users) == {f"Basic {b64encode(b'plant:pass@word').decode()}"}


@pytest.mark.parametrize("proxy", ["http://plant:Zq7@[::1", "http://plant:Zq7@host:port", "ftp://plant:Zq7@host"])
def test_a_proxy_that_is_none_is_named_without_its_password(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(UserInputError, match="HTTPS_PROXY is not a URL of a proxy") as refused:
        open_transport("https://updates.invalid", QUICK)
    assert "Zq7" not in str(refused.value) and refused.value.__suppress_context__


@pytest.mark.parametrize(
    "source",
    [
        "https://plant:Zq7@updates.invalid/ner", "https://Zq7@updates.invalid", "oci://plant:Zq7@registry.invalid/ner:1",
        "https://updates.invalid/ner?token=Zq7", "ftp://plant:Zq7@updates.invalid", "http://plant:Zq7@127.0.0.1/ner",
    ],
)  # fmt: skip
def test_a_secret_in_an_address_is_refused_and_not_repeated(source: str) -> None:
    with pytest.raises(UserInputError, match="which would appear in logs") as refused:
        open_transport(source, QUICK)
    assert "Zq7" not in str(refused.value)


def test_the_bandwidth_is_kept(publisher: Publisher, server: FaultyServer) -> None:
    """By the clock that is handed in: 130 kB with 50 kB per second."""
    publisher.folder.mkdir()
    (publisher.folder / "file").write_bytes(b"x" * 130_000)
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    transport = HttpTransport(server.url, QUICK)
    metered = MeteredTransport(transport, replace(QUICK, bandwidth=50_000.0), lambda: now[0], sleep)
    assert sum(map(len, metered.read("file", 130_000))) == 130_000
    transport.close()
    assert now[0] == pytest.approx(2.6)


def test_a_part_longer_than_the_file_is_not_used(online: Device, publisher: Publisher, server: FaultyServer) -> None:
    done = publisher.publish(variants(int8=b"short" * 100))
    file = done.release.variants["int8"][0]
    (online.state / "files" / f"{file.sha256}.part").write_bytes(b"x" * 9_000)
    assert online.pull().state == "updated"


def test_the_name_of_the_device_is_not_sent(online: Device, server: FaultyServer, publisher: Publisher) -> None:
    publisher.publish(variants(int8=b"n"))
    online.pull(device="secret-device-name")
    assert not [path for path in server.paths if "secret" in path]
    assert Path(online.state).is_dir()
