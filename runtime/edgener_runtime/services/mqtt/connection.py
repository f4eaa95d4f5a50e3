"""One connection to a broker for asyncio: paho's client, whose acknowledgements are ours to send.

aiomqtt, which wraps the same client, acknowledges what it has put into its queue: a process killed then has lost it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edgener_runtime.errors import UserInputError

from .answers import Refused
from .broker import Broker
from .driver import Driver
from .messages import Arrival, Letter

KEEP_ALIVE = 30  # seconds of silence before a ping; a broker that leaves it unanswered is given up
ANSWER_WITHIN = 10.0  # seconds, for what a broker is to answer at once
_NEVER = 0xFFFFFFFF  # seconds until a session expires
_TAKEN_OVER = 0x8E
_NOT_AUTHORIZED = 0x87
_LET_IN_BY = {
    0x84: "Try the other one: --protocol.",
    0x85: "Choose another --client-id.",
    0x86: "Check --username and the password.",
    _NOT_AUTHORIZED: "Check --username, the password and what the broker lets this client do.",
    0x8A: "Ask whoever runs the broker.",
    0x9C: "Connect to the other server.",
    0x9D: "Connect to the other server.",
}  # reasons that another attempt will not change, and what will
_PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


class Lost(Exception):  # noqa: N818 - the field's word
    """A connection that was not made, or has ended; `wait` says whether to wait before the next attempt."""

    def __init__(self, message: str, wait: bool = True) -> None:
        super().__init__(message)
        self.wait = wait


class Connection:
    """A connection, from `connect` to `close` or until `lost` holds why it ended.

    At most `broker.window` messages are held; what comes beyond is left unacknowledged, and asked for again by ending
    the connection once all that is held is answered. MQTT 5 lets us say how many may come, 3.1.1 does not, and
    mosquitto 2.0.11 sends more all the same.
    """

    def __init__(self, broker: Broker, will: Letter) -> None:
        self.broker = broker
        self.arrivals: asyncio.Queue[Arrival] = asyncio.Queue()
        self.session_present = False
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._answered: asyncio.Future[None] = self._loop.create_future()
        self._subscribed: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
        self._confirmations: dict[int, asyncio.Future[None]] = {}
        self._room = asyncio.Semaphore(broker.window)
        self._largest: int | None = None
        self._held = 0
        self._left_out = False
        self._accepting = True
        self._drained = asyncio.Event()
        self._drained.set()
        self._client = self._new_client(will)
        self._driver = Driver(
            self._client, lambda error: self._end(Lost(f"the connection to {broker} broke: {error!r}"))
        )

    async def connect(self) -> None:
        """Open the connection. Raises Lost where that may succeed later, UserInputError where it never will."""
        try:
            await self._loop.run_in_executor(None, self._connect)
        except ssl.SSLCertVerificationError as error:
            raise UserInputError(
                f"{self.broker} shows a certificate that is not trusted: {error.verify_message}", "Check --ca-file."
            ) from None
        except OSError as error:
            raise Lost(f"cannot reach the broker at {self.broker}: {error.strerror or error}") from None
        self._driver.start()
        try:
            await self._within(self._answered)
        except BaseException:
            self._drop()
            raise

    async def subscribe(self, topics: str) -> None:
        """Subscribe with QoS 1. Raises UserInputError where the broker does not grant it, Lost."""
        if self.broker.protocol == "5":  # a subscription that stands must not bring the retained messages again
            self._client.subscribe(topics, options=SubscribeOptions(qos=1, retainHandling=1))
        else:
            self._client.subscribe(topics, qos=1)
        [granted] = await self._within(self._subscribed)
        if granted.is_failure or granted.value != 1:
            raise UserInputError(
                f"the broker grants no QoS 1 on {topics}: {granted}", "Let the bridge's user read there."
            )

    async def publish(self, letter: Letter) -> asyncio.Future[None]:
        """Send a letter when the broker has room; the future is done once the broker has it, or raises Refused."""
        await self._room.acquire()
        confirmation: asyncio.Future[None] = self._loop.create_future()
        confirmation.add_done_callback(lambda _: self._room.release())
        properties = self._properties(letter)
        size = _size(letter)
        if self._largest is not None and size > self._largest:
            confirmation.set_exception(Refused(f"{size} bytes, it takes {self._largest}", too_large=True))
            return confirmation
        sent = self._client.publish(letter.topic, letter.payload, 1, letter.retain, properties)
        self._confirmations[sent.mid] = confirmation
        return confirmation

    async def tell(self, letter: Letter) -> None:
        """Publish and wait until the broker has it. Raises Refused, Lost."""
        await self._within(await self.publish(letter))

    def acknowledge(self, arrival: Arrival) -> None:
        """Tell the broker that a message is done with: it will not come again."""
        self._client.ack(arrival.mid, arrival.qos)
        self._held -= 1
        if self._held == 0:
            self._drained.set()
            if self._left_out and self._accepting:
                self._client.loop_write()  # what is acknowledged need not come again
                self._end(Lost(f"the broker sent more than {self.broker.window} at once; asking for the rest", False))

    async def drain(self) -> None:
        """Take no more messages, and wait until those held are acknowledged; the others stay with the broker."""
        self._accepting = False
        await self._drained.wait()

    async def close(self, farewell: Letter) -> None:
        """Say farewell in place of the will, and leave; the session stays."""
        if not self.lost.done():
            with contextlib.suppress(Lost, Refused):
                await self.tell(farewell)
                self._client.disconnect()
                self._client.loop_write()
        self._drop()

    # --- paho's client

    def _new_client(self, will: Letter) -> Client:
        modern = self.broker.protocol == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            self.broker.client_id,
            clean_session=None if modern else False,
            protocol=_PROTOCOLS[self.broker.protocol],
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.max_inflight_messages_set(0)  # `_room` counts them
        client.will_set(will.topic, will.payload, 1, will.retain)
        if self.broker.username is not None:
            client.username_pw_set(self.broker.username, self.broker.password)
        if self.broker.tls:
            client.tls_set_context(self.broker.tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = lambda _client, _data, _mid, codes, _properties: _settle(self._subscribed, codes)
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _connect(self) -> None:
        """Look up, connect and shake hands, all of which blocks."""
        host, port = self.broker.host, self.broker.port
        if self.broker.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _NEVER
            properties.ReceiveMaximum = self.broker.window
            self._client.connect(host, port, KEEP_ALIVE, clean_start=False, properties=properties)
        else:
            self._client.connect(host, port, KEEP_ALIVE)

    def _drop(self) -> None:
        """Close the socket and whatever still waits."""
        self._driver.stop()
        self._end(Lost("the connection was closed"))
        for confirmation in self._confirmations.values():
            confirmation.cancel()

    def _end(self, error: Exception) -> None:
        if not self.lost.done():
            self.lost.set_exception(error)
            self.lost.exception()  # known, whether or not anyone waits for it

    async def _within(self, awaited: asyncio.Future[Any]) -> Any:
        """What a broker answers. Raises Lost where it takes too long, what `lost` holds where the connection ends."""
        await asyncio.wait({awaited, self.lost}, timeout=ANSWER_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        if awaited.done():
            return awaited.result()
        if self.lost.done():
            self.lost.result()
        raise Lost(f"{self.broker} did not answer within {ANSWER_WITHIN:g} s")

    def _properties(self, letter: Letter) -> Properties | None:
        if self.broker.protocol != "5":
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.PayloadFormatIndicator = 1  # UTF-8
        if letter.correlation is not None:
            properties.CorrelationData = letter.correlation
        return properties

    # --- what the broker says

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
        return UserInputError(message, _LET_IN_BY[code.value]) if code.value in _LET_IN_BY else Lost(message)

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server and code.value == _TAKEN_OVER:
            self._end(UserInputError(
                f"another client connected to {self.broker} as {self.broker.client_id} and took the session over",
                "Give each bridge a --client-id of its own.",
            ))  # fmt: skip
        elif not self._answered.done():
            hint = "; is it one of MQTT 3.1.1 (--protocol 3.1.1)?" if self.broker.protocol == "5" else ""
            self._end(Lost(f"{self.broker} hung up before it answered{hint}"))
        elif flags.is_disconnect_packet_from_server:
            self._end(Lost(f"the broker at {self.broker} ended the connection: {code}"))
        else:
            self._end(Lost(f"lost the broker at {self.broker}"))

    def _on_publish(
        self, _client: Client, _data: Any, mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        confirmation = self._confirmations.pop(mid)
        if confirmation.done():
            return
        if code.is_failure:
            confirmation.set_exception(Refused(str(code)))
        else:
            confirmation.set_result(None)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        if not self._accepting:
            return
        if self._held >= self.broker.window:
            self._left_out = self._left_out or message.qos > 0
            return
        self._held += 1
        self._drained.clear()
        properties = message.properties
        self.arrivals.put_nowait(Arrival(
            message.topic, bytes(message.payload), message.mid, message.qos,
            getattr(properties, "ResponseTopic", None), getattr(properties, "CorrelationData", None),
        ))  # fmt: skip


def _size(letter: Letter) -> int:
    """Bytes of the packet, a few more rather than fewer."""
    return len(letter.payload) + len(letter.topic.encode()) + len(letter.correlation or b"") + 32


def _settle(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)
