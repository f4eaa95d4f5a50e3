"""One connection to a broker for asyncio: paho's client with manual acknowledgements.

aiomqtt wraps the same client but acknowledges a message when it enters its queue: a killed process loses it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edgener_runtime.errors import UserInputError

from .answers import PublishRefusedError
from .broker import Broker
from .client import BoundedClient
from .client_loop import ClientLoop
from .messages import IncomingMessage, OutgoingMessage

ANSWER_WITHIN = 10.0  # seconds for an answer of the broker
_RETAINED_WITHIN = 2.0  # seconds for a retained message
_TAKEN_OVER = 0x8E
_KEEP_ALIVE_TIMEOUT = 0x8D
_NOT_AUTHORIZED = 0x87
_FIXES = {
    0x84: "Try the other one: --protocol.",
    0x85: "Choose another --client-id.",
    0x86: "Check --username and the password.",
    _NOT_AUTHORIZED: "Check --username, the password and what the broker lets this client do.",
    0x8A: "Ask whoever runs the broker.",
    0x8C: "Let the broker take user names and passwords.",
    0x90: "Choose another --status topic.",
    0x9A: "The status needs retained messages: let the broker keep them.",
    0x9B: "Requests and answers need QoS 1: let the broker take it.",
    0x9C: "Connect to the other server.",
    0x9D: "Connect to the other server.",
}  # permanent reasons for a refusal, and the fix for each
_PASSING = {0x83, 0x97}  # implementation specific error, quota exceeded: what may pass


class ConnectionLostError(Exception):
    """A connection that failed or ended; `wait` says whether to wait before the next attempt.

    `hung_up` says that the broker ended it without a reason, as it does where another client takes the session over.
    """

    def __init__(self, message: str, wait: bool = True, hung_up: bool = False) -> None:
        super().__init__(message)
        self.wait = wait
        self.hung_up = hung_up


def taken_over(broker: Broker) -> UserInputError:
    """The error of a bridge whose session another client has."""
    return UserInputError(
        f"another client connected to {broker} as {broker.client_id} and took the session over",
        "Give each bridge a --client-id of its own.",
    )


class Connection:
    """A connection, from `connect` to `close` or until `lost` has the reason why it ended.

    At most `broker.window` messages are in progress. Further messages stay unacknowledged; the connection ends after
    the last answer so that the broker sends them again. MQTT 5 limits their number (Receive Maximum), 3.1.1 does not,
    and mosquitto 2.0.11 exceeds the limit. Of a longer payload, the first `most` bytes are kept.
    """

    def __init__(self, broker: Broker, will: OutgoingMessage, most: int = 65536) -> None:
        self.broker = broker
        self.arrivals: asyncio.Queue[IncomingMessage] = asyncio.Queue()
        self.session_present = False
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._answered: asyncio.Future[None] = self._loop.create_future()
        self._subscribed: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
        self._confirmations: dict[int, asyncio.Future[None]] = {}
        self._room = asyncio.Semaphore(broker.window)
        self._largest: int | None = None
        self.held = 0  # messages in progress
        self._left_out = False
        self._accepting = True
        self._drained = asyncio.Event()
        self._drained.set()
        self._client = self._new_client(will, most)
        self._client_loop = ClientLoop(
            self._client, lambda error: self._end(ConnectionLostError(f"the connection to {broker} broke: {error!r}"))
        )

    async def connect(self) -> None:
        """Open the connection. Raises ConnectionLostError, or UserInputError where a retry is useless."""
        try:
            await self._loop.run_in_executor(None, self._client.connect_to, self.broker)
        except ssl.SSLCertVerificationError as error:
            raise UserInputError(
                f"{self.broker} shows a certificate that is not trusted: {error.verify_message}", "Check --ca-file."
            ) from None
        except OSError as error:
            raise ConnectionLostError(f"cannot reach the broker at {self.broker}: {error.strerror or error}") from None
        self._client_loop.start()
        try:
            await self._within(self._answered)
        except BaseException:
            self.drop()
            raise

    async def subscribe(self, topics: str) -> None:
        """Subscribe with QoS 1. Raises UserInputError where the broker does not grant it, ConnectionLostError."""
        granted = await self._subscribe(topics, 1)
        if granted.value in _PASSING:
            raise ConnectionLostError(f"the broker at {self.broker} takes no subscription: {granted}")
        if granted.is_failure or granted.value != 1:
            raise UserInputError(
                f"the broker grants no QoS 1 on {topics}: {granted}", "Let the bridge's user read there."
            )

    async def _subscribe(self, topics: str, qos: int) -> ReasonCode:
        self._subscribed = self._loop.create_future()
        if self.broker.protocol == "5" and qos:  # an existing subscription must not repeat the retained messages
            self._client.subscribe(topics, options=SubscribeOptions(qos=qos, retainHandling=1))
        else:
            self._client.subscribe(topics, qos=qos)
        granted: list[ReasonCode] = await self._within(self._subscribed)
        return granted[0]

    async def read_retained(self, topic: str) -> bytes | None:
        """The retained message on a topic; None without one, or where it may not be read. Raises ConnectionLostError.

        For a connection that is not subscribed to anything else.
        """
        await self._subscribe(topic, 0)
        waiting = asyncio.ensure_future(self.arrivals.get())
        await asyncio.wait({waiting}, timeout=_RETAINED_WITHIN)
        return waiting.result().payload if not waiting.cancel() else None

    async def publish(self, message: OutgoingMessage) -> asyncio.Future[None]:
        """Send a message when the broker has room.

        The future is done when the broker has confirmed it, or raises PublishRefusedError.
        """
        await self._room.acquire()
        confirmation: asyncio.Future[None] = self._loop.create_future()
        confirmation.add_done_callback(lambda _: self._room.release())
        properties = self._properties(message)
        size = _size(message)
        if self._largest is not None and size > self._largest:
            confirmation.set_exception(PublishRefusedError(f"{size} bytes, it takes {self._largest}", too_large=True))
            return confirmation
        sent = self._client.publish(message.topic, message.payload, 1, message.retain, properties)
        self._confirmations[sent.mid] = confirmation
        return confirmation

    async def publish_confirmed(self, message: OutgoingMessage) -> None:
        """Publish and wait for the confirmation. Raises PublishRefusedError, ConnectionLostError."""
        await self._within(await self.publish(message))

    def acknowledge(self, arrival: IncomingMessage) -> None:
        """Acknowledge a message: the broker does not send it again."""
        self._client.ack(arrival.mid, arrival.qos)
        self.held -= 1
        if self.held == 0:
            self._drained.set()
            if self._left_out and self._accepting:
                self.flush()
                self._end(
                    ConnectionLostError(
                        f"the broker sent more than {self.broker.window} at once; asking for the rest", False
                    )
                )

    def flush(self) -> None:
        """Send what waits to be sent, such as acknowledgements, before the connection ends."""
        self._client.loop_write()

    async def drain(self) -> None:
        """Accept no more messages and wait until those in progress are acknowledged; the broker keeps the others."""
        self._accepting = False
        await self._drained.wait()

    async def close(self, farewell: OutgoingMessage) -> None:
        """Publish `farewell` in place of the will and disconnect; the broker keeps the session."""
        if not self.lost.done():
            with contextlib.suppress(ConnectionLostError, PublishRefusedError):
                await self.publish_confirmed(farewell)
                self._client.disconnect()
                self.flush()
        self.drop()

    # --- paho's client

    def _new_client(self, will: OutgoingMessage, most: int) -> BoundedClient:
        client = BoundedClient(self.broker, will, most, self._on_message)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = lambda _client, _data, _mid, codes, _properties: _settle(self._subscribed, codes)
        client.on_publish = self._on_publish
        return client

    def drop(self) -> None:
        """Close the socket without a farewell, and cancel pending confirmations."""
        self._client_loop.stop()
        self._end(ConnectionLostError("the connection was closed"))
        for confirmation in self._confirmations.values():
            confirmation.cancel()

    def _end(self, error: Exception) -> None:
        if not self.lost.done():
            self.lost.set_exception(error)
            self.lost.exception()  # marked as retrieved, so that asyncio does not warn

    async def _within(self, awaited: asyncio.Future[Any]) -> Any:
        """The broker's answer. Raises ConnectionLostError after a time-out, or the exception of `lost`."""
        await asyncio.wait({awaited, self.lost}, timeout=ANSWER_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        if awaited.done():
            return awaited.result()
        if self.lost.done():
            self.lost.result()
        raise ConnectionLostError(f"{self.broker} did not answer within {ANSWER_WITHIN:g} s")

    def _properties(self, message: OutgoingMessage) -> Properties | None:
        if self.broker.protocol != "5":
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.PayloadFormatIndicator = 1  # UTF-8
        if message.correlation is not None:
            properties.CorrelationData = message.correlation
        return properties

    # --- callbacks of the broker

    def _on_connect(
        self, _client: Client, _data: Any, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            self._end(self._refusal(code))
            return
        self.session_present = flags.session_present
        self._largest = getattr(properties, "MaximumPacketSize", None)
        self._room = asyncio.Semaphore(min(self.broker.window, getattr(properties, "ReceiveMaximum", 65535)))
        _settle(self._answered, None)

    def _refusal(self, code: ReasonCode) -> Exception:
        message = f"the broker at {self.broker} refuses client {self.broker.client_id}: {code}"
        return UserInputError(message, _FIXES[code.value]) if code.value in _FIXES else ConnectionLostError(message)

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server and code.value == _TAKEN_OVER:
            self._end(taken_over(self.broker))
        elif not self._answered.done():
            hint = "; does it speak MQTT 3.1.1 alone (--protocol 3.1.1)?" if self.broker.protocol == "5" else ""
            self._end(ConnectionLostError(f"{self.broker} hung up before it answered{hint}"))
        elif flags.is_disconnect_packet_from_server:
            no_reason = code.value == 0  # as paho 2.1 understands a packet of two bytes
            self._end(
                ConnectionLostError(f"the broker at {self.broker} ended the connection: {code}", hung_up=no_reason)
            )
        else:
            hung_up = code.value != _KEEP_ALIVE_TIMEOUT
            self._end(ConnectionLostError(f"lost the broker at {self.broker}", hung_up=hung_up))

    def _on_publish(
        self, _client: Client, _data: Any, mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        confirmation = self._confirmations.pop(mid)
        if confirmation.done():
            return
        if code.value in _PASSING:
            self._end(ConnectionLostError(f"the broker at {self.broker} takes no message: {code}"))
        elif code.is_failure:
            confirmation.set_exception(PublishRefusedError(str(code)))
        else:
            confirmation.set_result(None)

    def _on_message(self, message: IncomingMessage) -> None:
        if not self._accepting:
            return
        if self.held >= self.broker.window:
            self._left_out = self._left_out or message.qos > 0
            return
        self.held += 1
        self._drained.clear()
        self.arrivals.put_nowait(message)


def _size(message: OutgoingMessage) -> int:
    """Bytes of the packet, rounded up."""
    return len(message.payload) + len(message.topic.encode()) + len(message.correlation or b"") + 32


def _settle(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)
