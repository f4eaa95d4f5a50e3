"""paho's client with reading of its own.

paho reads any message whole, however long, and ends the connection at one that it cannot parse, so that the broker
sends the same message for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edgener_runtime.errors import DeviceError

from .broker import Broker
from .messages import IncomingMessage, OutgoingMessage
from .publish_packet import MalformedPublishError, read_publish

KEEP_ALIVE = 30  # seconds of silence before a ping; without an answer the connection is lost
TOPICS = 3 * 65536  # most bytes of a message's topic, response topic and correlation data
_AT_ONCE = 65536  # bytes of one read
_NEVER = 0xFFFFFFFF  # seconds until a session expires
_OVERRIDDEN = ("_sock_recv", "_handle_publish")
_PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


class BoundedClient(Client):
    """A client whose messages reach `arrived` with at most `most` bytes of payload.

    Raises DeviceError where paho-mqtt has not what this needs.
    """

    def __init__(
        self, broker: Broker, will: OutgoingMessage, most: int, arrived: Callable[[IncomingMessage], None]
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            broker.client_id,
            clean_session=None if broker.protocol == "5" else not broker.keeps_session,
            protocol=_PROTOCOLS[broker.protocol],
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if missing := [name for name in _OVERRIDDEN if not hasattr(Client, name)]:
            raise DeviceError(
                f"paho-mqtt {metadata.version('paho-mqtt')} has no {missing[0]}", 'Run: pip install "paho-mqtt==2.1"'
            )
        self._has_properties = broker.protocol == "5"
        self._most = most
        self._arrived = arrived
        self.max_inflight_messages_set(0)  # the connection counts them
        if broker.keeps_session:
            self.will_set(will.topic, will.payload, 1, will.retain)
        if broker.username is not None:
            self.username_pw_set(broker.username, broker.password)
        if broker.tls:
            self.tls_set_context(broker.tls)

    def connect_to(self, broker: Broker) -> None:
        """Look up the host, connect and shake hands; each step blocks. Raises OSError."""
        if broker.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = _NEVER if broker.keeps_session else 0
            properties.ReceiveMaximum = broker.window
            self.connect(
                broker.host, broker.port, KEEP_ALIVE, clean_start=not broker.keeps_session, properties=properties
            )
        else:
            self.connect(broker.host, broker.port, KEEP_ALIVE)

    # --- in place of paho's, which has no public interface for it

    if TYPE_CHECKING:
        _in_packet: Any

    def _sock_recv(self, bufsize: int) -> bytes:
        """Read some bytes; of a packet that is longer than a message may be, the first are kept."""
        if self._in_packet["to_process"] > self._most + TOPICS and not self._in_packet["packet"]:
            self._in_packet["packet"] = _FirstBytes(self._most + TOPICS)
        data: bytes = super()._sock_recv(min(bufsize, _AT_ONCE))
        return data

    def _handle_publish(self) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        dropped = packet.dropped if isinstance(packet, _FirstBytes) else 0
        try:
            message = read_publish(self._in_packet["command"], bytes(packet), self._has_properties, self._most, dropped)
        except MalformedPublishError:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self._arrived(message)
        return MQTTErrorCode.MQTT_ERR_SUCCESS


class _FirstBytes(bytearray):
    """The first `most` bytes of those that are added, and the number of the others."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self.dropped = 0

    def __iadd__(self, data: Any) -> _FirstBytes:  # type: ignore[misc]
        kept = data[: self._most - len(self)]
        self.extend(kept)
        self.dropped += len(data) - len(kept)
        return self
