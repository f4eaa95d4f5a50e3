"""The connection against a scripted broker: what it makes of refusals, endings and garbage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

pytest.importorskip("paho", reason="the extra mqtt is not installed")

from edgener_runtime import UserInputError
from edgener_runtime.services.mqtt import connection as connections
from edgener_runtime.services.mqtt.broker import Broker
from edgener_runtime.services.mqtt.connection import Connection, ConnectionLostError
from edgener_runtime.services.mqtt.messages import OutgoingMessage

WILL = OutgoingMessage("status", b"offline", retain=True)


def connack(reason: int) -> bytes:
    return bytes([0x20, 3, 0, reason, 0])


def connected_to(script: Sequence[bytes], use: Callable[[Connection], Any], **fields: Any) -> None:
    """Connect to a broker that sends these packets, one for each that comes, and use the connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for packet in script:
            if not await reader.read(1000):
                break
            writer.write(packet)
            await writer.drain()
        await reader.read()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            connection = Connection(Broker("127.0.0.1", server.sockets[0].getsockname()[1], **fields), WILL)
            try:
                await connection.connect()
                await use(connection)
            finally:
                await connection.close(WILL)

    asyncio.run(asyncio.wait_for(main(), 20))


async def nothing(_: Connection) -> None:
    """Connecting was all."""


async def until_lost(connection: Connection) -> None:
    await connection.publish_confirmed(WILL)  # the broker's next packet comes in answer
    await connection.lost


@pytest.mark.parametrize(("reason", "message"), [(0x86, "Bad user name"), (0x87, "Not authorized"), (0x8A, "Banned")])
def test_a_refusal_that_stays_is_an_error_for_the_user(reason: int, message: str) -> None:
    with pytest.raises(UserInputError, match=f"refuses client edgener: {message}"):
        connected_to([connack(reason)], nothing)


@pytest.mark.parametrize(
    ("reason", "hint"),
    [(0x8C, "user names and passwords"), (0x90, "--status"), (0x9A, "retained messages"), (0x9B, "QoS 1")],
)
def test_a_broker_without_what_the_bridge_needs_is_named_and_not_asked_for_ever(reason: int, hint: str) -> None:
    with pytest.raises(UserInputError, match="refuses client edgener") as raised:
        connected_to([connack(reason)], nothing)
    assert raised.value.hint and hint in raised.value.hint


@pytest.mark.parametrize("reason", [0x80, 0x88, 0x89, 0x97, 0x9F])
def test_a_refusal_that_may_pass_is_tried_again(reason: int) -> None:
    with pytest.raises(ConnectionLostError, match="refuses client edgener"):
        connected_to([connack(reason)], nothing)


def test_the_older_protocol_has_refusals_too() -> None:
    with pytest.raises(UserInputError, match="refuses client edgener: Bad user name"):
        connected_to([bytes([0x20, 2, 0, 4])], nothing, protocol="3.1.1")


def test_another_client_of_the_same_name_is_reported() -> None:
    with pytest.raises(UserInputError, match="as edgener and took the session over"):
        connected_to([connack(0), bytes([0xE0, 2, 0x8E, 0])], until_lost)


def test_a_broker_that_ends_the_connection_says_why() -> None:
    with pytest.raises(ConnectionLostError, match="ended the connection: Server shutting down"):
        connected_to([connack(0), bytes([0xE0, 2, 0x8B, 0])], until_lost)


@pytest.mark.parametrize("reason", [0x83, 0x97])
def test_a_message_that_is_not_taken_now_is_tried_again(reason: int) -> None:
    with pytest.raises(ConnectionLostError, match="takes no message: "):
        connected_to([connack(0), bytes([0x40, 3, 0, 1, reason])], until_lost)


@pytest.mark.parametrize("garbage", [b"\xff" * 20, b"\x20\x01\x00", b"\x40\x01\x00", b"\x32\x03\x00\x09\xff"])
def test_garbage_ends_the_connection(garbage: bytes) -> None:
    with pytest.raises(ConnectionLostError):
        connected_to([connack(0), garbage], until_lost)


def test_a_broker_that_hangs_up_before_it_answers_may_be_of_the_older_protocol() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            await Connection(Broker("127.0.0.1", server.sockets[0].getsockname()[1]), WILL).connect()

    with pytest.raises(
        ConnectionLostError, match=r"hung up before it answered; does it speak MQTT 3.1.1 alone \(--protocol 3.1.1\)\?"
    ):
        asyncio.run(main())


def test_a_broker_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_WITHIN", 0.05)
    with pytest.raises(ConnectionLostError, match="did not answer within"):
        connected_to([], nothing)


def test_a_subscription_that_is_not_taken_now_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_WITHIN", 0.5)  # its farewell is not confirmed
    suback = bytes([0x90, 4, 0, 1, 0, 0x97])
    with pytest.raises(ConnectionLostError, match="takes no subscription: Quota exceeded"):
        connected_to([connack(0), suback], lambda connection: connection.subscribe("in/text"))


@pytest.mark.parametrize("granted", [0x87, 0])
def test_a_subscription_without_qos_1_is_refused(granted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_WITHIN", 0.5)  # its farewell is not confirmed either
    suback = bytes([0x90, 4, 0, 1, 0, granted])
    with pytest.raises(UserInputError, match="grants no QoS 1 on in/text"):
        connected_to([connack(0), suback], lambda connection: connection.subscribe("in/text"))
