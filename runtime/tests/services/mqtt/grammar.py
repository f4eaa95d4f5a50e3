"""A grammar of messages that may break a bridge, as bytes, and a client that sends them.

The client is written by hand, as libraries refuse to send most of it.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from collections.abc import Callable

LETTERS = 'aZ09 +#$/\\"{}[]:,.\u00e4\u6cf5\U0001f600\ufeff\ufffd\u200b\u202e\u0085\u2028'
VALUES = [
    "1", "-0", "1e400", "NaN", "null", "true", '"x"', '"\\ud800"', '"\\u0000"', "9" * 30, "9" * 5000, "1.5E+3", "[]",
    "{}", '""', "01", ".5", "'x'",
]  # fmt: skip
TEXTS = ["pump", "oil leak at P-101", "泵 漏油", "", "x" * 100, "x" * 3000, "\\ud800", "a " * 500, "\\u0000", "\\n"]
NAMES = ["a", "b", "text", "key", "entities", "id"]
RESPONSES = ["mine/x", "out/entities", "out/status", "out/dead", "in/x", "$SYS/x", "$share/a/b", "mine/ä\ufeff",
             "/".join(["mine"] * 250)]  # fmt: skip
PUBLISH, PUBACK, CONNECT = 0x32, 0x40, 0x10


class Grammar:
    """Random messages, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def payload(self) -> bytes:
        """A request, or what was one before it was damaged."""
        if self._one_in(10):
            return self.random.randbytes(self.random.choice([0, 1, 50, 70_000]))
        if self._one_in(20):
            levels = self.random.randint(900, 1010)
            return b'{"text": "pump", "x": %s}' % (b"[" * levels + b"]" * levels)
        fields = [f'"text": "{self.random.choice(TEXTS)}"'] * (not self._one_in(10))
        fields += [f'"{self.random.choice(NAMES)}": {self._value()}' for _ in range(self.random.randint(0, 3))]
        self.random.shuffle(fields)
        payload = f"{{{', '.join(fields)}}}".encode()
        at = self.random.randrange(len(payload) + 1)
        damages: list[Callable[[], bytes]] = [
            lambda: payload[:at] + self.random.randbytes(2) + payload[at:],
            lambda: payload[:at],
            lambda: b" \n\t" + payload + b"\r\n ",
        ]
        return self.random.choice(damages)() if self._one_in(4) else payload

    def properties(self) -> bytes:
        """Properties of MQTT 5 with their length in front; brokers refuse some of them."""
        parts = []
        if self._one_in(2):
            parts.append(b"\x08" + string(self.random.choice([*RESPONSES, f"mine/{self._text()}"]).encode()))
        if self._one_in(2):
            parts.append(b"\x09" + string(self.random.randbytes(self.random.choice([0, 1, 16, 60_000]))))
        if self._one_in(3):
            parts.append(b"\x03" + string(self._text().encode()))
        if self._one_in(5):
            parts.append(b"\x02" + struct.pack("!I", 3600 + self.random.getrandbits(20)))
        for _ in range(self.random.choice([0, 0, 1, 5, 2000])):
            parts.append(b"\x26" + string(self._text()[:9].encode()) + string(self._text()[:9].encode()))
        joined = b"".join(parts)
        return length(joined) + joined

    def _value(self, depth: int = 0) -> str:
        kind = self.random.random()
        if depth > 3 or kind < 0.5:
            return self.random.choice(VALUES)
        items = [self._value(depth + 1) for _ in range(self.random.randint(0, 4))]
        if kind < 0.75:
            return f"[{','.join(items)}]"
        return "{" + ",".join(f'"{self.random.choice(NAMES)}":{item}' for item in items) + "}"

    def _text(self) -> str:
        return "".join(self.random.choices(LETTERS, k=self.random.choice([0, 1, 3, 10, 100])))

    def _one_in(self, count: int) -> bool:
        return self.random.randrange(count) == 0


class RawClient:
    """Publishes over MQTT 5 with QoS 1, and connects again where the broker has ended the connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = self._connect()

    def publish(self, topic: bytes, properties: bytes, payload: bytes) -> bool:
        """Whether the broker has taken the message."""
        body = string(topic) + struct.pack("!H", 7) + properties + payload
        answer = b""
        with contextlib.suppress(OSError):
            self._socket.sendall(bytes([PUBLISH]) + length(body) + body)
            answer = self._socket.recv(1000)
        if not answer or answer[0] != PUBACK:
            self.close()
            self._socket = self._connect()
            return False
        return answer[1] == 2 or answer[4] < 0x80

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), 30)
        body = string(b"MQTT") + b"\x05\x02\x00\x00\x00" + string(b"raw")
        connection.sendall(bytes([CONNECT]) + length(body) + body)
        connection.recv(1000)
        return connection


def string(data: bytes) -> bytes:
    """Bytes with their length in front."""
    return struct.pack("!H", len(data)) + data


def length(data: bytes) -> bytes:
    """The length of bytes, seven bits a byte."""
    left, found = len(data), b""
    while left > 127:
        found += bytes([left % 128 + 128])
        left //= 128
    return found + bytes([left])
