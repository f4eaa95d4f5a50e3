"""Addresses, topics and credentials, checked before anything is connected; and how long to wait between attempts."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("paho", reason="the extra mqtt is not installed")

from edgener_runtime import UserInputError
from edgener_runtime.services.mqtt.bridge import Backoff
from edgener_runtime.services.mqtt.broker import Broker, Topics, read_password, tls_context


@pytest.mark.parametrize("name", ["answers", "dead_letters", "status"])
@pytest.mark.parametrize("topic", ["", "a/+", "a/#", "a\0b", "ä" * 40_000])
def test_what_cannot_be_published_on_is_refused(name: str, topic: str) -> None:
    with pytest.raises(UserInputError, match="is not a topic to publish"):
        Topics(**{name: topic})


@pytest.mark.parametrize("requests", ["plant/+/text", "plant/#", "#", "plant/7/text", "$share/edge/plant/#"])
def test_a_bridge_may_not_read_what_it_writes(requests: str) -> None:
    with pytest.raises(UserInputError, match="answers on plant/7/text would come back as requests"):
        Topics(requests=requests, answers="plant/7/text")
    assert Topics(requests="$share/edge/plant/+/text", answers="plant/7/entities")


@pytest.mark.parametrize("requests", ["", "a/#/b", "a/b+", "#/a", "a\0"])
def test_what_cannot_be_subscribed_to_is_refused(requests: str) -> None:
    with pytest.raises(UserInputError, match="is not a topic to subscribe to"):
        Topics(requests=requests)


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"client_id": ""}, "client id is empty"), ({"password": "x"}, "no user name"), ({"protocol": "4"}, "no MQTT")],
)
def test_a_broker_that_cannot_be_used_is_refused(fields: dict[str, str], message: str) -> None:
    with pytest.raises(UserInputError, match=message):
        Broker(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["plant7:hunter2@broker.local", "mqtts://plant7:hunter2@broker.local"])
def test_a_host_with_a_password_is_refused_and_not_repeated(host: str) -> None:
    with pytest.raises(UserInputError, match="not a name or address alone") as refused:
        Broker(host)
    assert "hunter2" not in str(refused.value)


def test_a_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Broker(username="plant7", password="hunter2"))


def test_a_password_is_read_from_a_file_without_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(" hunter 2 \n")
    assert read_password(tmp_path / "password") == " hunter 2 "


@pytest.mark.parametrize(("content", "message"), [(b"\n", "holds no password"), (b"\xff", "not UTF-8")])
def test_a_file_without_a_password_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(content)
    with pytest.raises(UserInputError, match=message):
        read_password(tmp_path / "password")
    with pytest.raises(UserInputError, match="No such file"):
        read_password(tmp_path / "missing")


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(UserInputError, match="cannot read certificates of"):
            tls_context(tmp_path / name)


def test_waits_double_up_to_the_longest_and_begin_again() -> None:
    backoff = Backoff(first=1, longest=10, share=lambda: 1)
    assert [backoff.delay() for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    backoff.reset()
    assert backoff.delay() == 1


def test_a_wait_is_cut_at_random_by_up_to_half() -> None:
    assert Backoff(first=8, share=lambda: 0).delay() == 4
    waits = {Backoff(first=8).delay() for _ in range(20)}
    assert len(waits) > 1 and all(4 <= wait <= 8 for wait in waits)


def test_thousands_of_attempts_are_no_overflow() -> None:
    backoff = Backoff(share=lambda: 1)
    assert {backoff.delay() for _ in range(5000)} == {1, 2, 4, 8, 16, 32, 60}
