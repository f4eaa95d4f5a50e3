"""A grammar of HTTP exchanges that may break a server, as bytes, and a client that sends them.

The client is written by hand, as libraries refuse to send most of it.
"""

from __future__ import annotations

import json
import random
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

PATHS = [
    "/predict", "/healthz", "/readyz", "/readyz?deep=1", "/metrics", "/openapi.json", "/v2", "/v2/health/live", "/",
    "/v2/models/tiny-factory", "/v2/models/tiny-factory/ready", "/page.js", "/v2/repository/index",
    "/v2/repository/models/tiny-factory/unload",
]  # fmt: skip
ODD_PATHS = [
    "/predict/", "//predict", "/../predict", "/%00", "/%ff%fe", "/v2/models/%0d%0aX:%20y", "*", "http://x/predict",
    "predict", "/\xe6\xb3\xb5", "/\x80", "/predict#x", "/readyz?deep=" + "9" * 3000, "/" + "a" * 60_000,
    "/v2/models/" + "%e6" * 300 + "/infer", "/v2/models/tiny-factory/versions/\x7f/infer",
]  # fmt: skip
METHODS = ["GET", "POST", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PUT", "DELETE", "PRI", "get", "A" * 5000, "G\xcbT"]
INFER = "/v2/models/tiny-factory/infer"
LENGTHS = ["-1", "+5", "0x5", "5, 5", "5, 6", "5\r\nContent-Length: 6", "", " ", "9" * 30, "1e3", "\u0665", "5\x0b"]
FIELDS = [
    "X : y", ": y", "X", "X: \x00", " folded", "X: \xe6\xb3\xb5", "Host: y", "Authorization: Bearer \xff", "X:\ty\t",
    "Content-Encoding: gzip", "Content-Type: ", "Accept: " + "," * 9000, "Cookie: \x1b[31m",
]  # fmt: skip
CHUNKS = [
    b"FFFFFFFFFFFFFFFF\r\n", b"-5\r\n", b"5\n", b"\r\n", b"5;" + b"x" * 20_000 + b"\r\n", b"0x5\r\nhello\r\n", b"g\r\n",
    b"5\r\nhel", b"5\r\nhelloo\r\n", b"0\r\n", b"0\r\nX: " + b"y" * 30_000 + b"\r\n", b"00000000005\r\nhello\r\n",
]  # fmt: skip
VERSIONS = [b"HTTP/1.0", b"HTTP/0.9", b"HTTP/9.9", b"", b"http/1.1"]
NUMBERS = ["1e999", "-1e999", "NaN", "Infinity", "-0", "0.5", "1.5E+3", "9" * 30, "9" * 5000, "01", "1e-999"]
STRINGS = ['"pump"', '"oil leak at P-101"', '"泵 漏油"', '""', '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\ufeff"',
           '"' + "x" * 600 + '"', '"' + "a " * 249 + '"', '"\\x"', '"\n"', '"\U0001f600\u202e"']  # fmt: skip
NAMES = ["model", "text", "texts", "aggregation", "strict", "thresholds", "offsets", "id", "", "\\ud800", "a" * 2000]
TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_SHORT, _PAUSES = 0.02, (0.01, 0.1, 0.3)


@dataclass(frozen=True)
class Exchange:
    """What a client sends: its kind, its parts with a pause after each, and what it does then."""

    kind: str
    parts: tuple[bytes, ...]
    pause: float = 0
    end: str = "wait"  # or "half-close", "reset"


class Grammar:
    """Random exchanges, the same for the same seed."""

    def __init__(self, seed: int, token: str) -> None:
        self.random = random.Random(seed)
        self._token = token

    def exchange(self) -> Exchange:
        """One of them, in one part or in several, some of it slowly."""
        make: Callable[[], bytes] = self.random.choice(
            [self.framing, self.chunked, self.lengths, self.headers, self.pipelined, self.json, self.tensor,
             self.target, self.protocol, self.mutated, self.noise]
        )  # fmt: skip
        data = make()
        parts = tuple(self._cut(data)) if self._one_in(3) else (data,)
        pause = self.random.choice(_PAUSES) if len(parts) > 1 else 0
        end = self.random.choice(["wait", "wait", "wait", "half-close", "reset"])
        return Exchange(make.__name__, parts, pause, end)

    def framing(self) -> bytes:
        """A whole request, or its beginning."""
        whole = self._request("POST", "/predict", b'{"text": "oil leak"}')
        return whole[: self.random.randrange(len(whole) + 1)]

    def chunked(self) -> bytes:
        """Chunks that are none, far too many, or of more than is accepted."""
        head = self._head("POST", self.random.choice(["/predict", INFER]), ["Transfer-Encoding: chunked"])
        chunks = b"".join(self.random.choice([*CHUNKS, b'14\r\n{"text": "oil leak"}\r\n']) for _ in range(self._few()))
        floods = [b"1\r\nx\r\n" * 5000, b"40000\r\n" + b" " * 0x40000 + b"\r\n", b""]
        return head + self.random.choice(floods) * self._few() + chunks + self.random.choice([b"0\r\n\r\n", b""])

    def lengths(self) -> bytes:
        """Lengths that are none, are several, or are not that of the body."""
        fields = [f"Content-Length: {self.random.choice(LENGTHS)}"]
        if self._one_in(3):
            fields = [f"Content-Length: {self.random.choice([0, 5, 19, 21, 300, 2_000_000])}"]
        if self._one_in(3):
            fields.append(self.random.choice(["Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked"]))
        return self._head("POST", "/predict", fields) + b'{"text": "oil leak"}'

    def headers(self) -> bytes:
        """Many, long, folded and malformed header fields."""
        value = "y" * self.random.choice([0, 1, 100, 4000, 70_000])
        fields = [f"X-{number}: {value}" for number in range(self.random.choice([0, 1, 90, 1000]))]
        return self._request("POST", "/predict", b'{"text": "a"}', fields + self.random.sample(FIELDS, self._few()))

    def pipelined(self) -> bytes:
        """Requests one behind the other, all sent before an answer is read."""
        makes: list[Callable[[], bytes]] = [self._plain, self._plain, self.json, self.tensor, self.target]
        return b"".join(self.random.choice(makes)() for _ in range(self.random.randint(2, 30)))

    def json(self) -> bytes:
        """A body that is JSON, nearly JSON, or damaged."""
        body = self._object().encode("utf-8", "surrogatepass")
        if self._one_in(6):
            levels = self.random.choice([10, 500, 990, 1010, 5000, 100_000])
            opening, closing = self.random.choice([(b"[", b"]"), (b'{"a":', b"}")])
            body = b'{"text": "pump", "thresholds": ' + opening * levels + b"1" + closing * levels + b"}"
        damages: list[Callable[[], bytes]] = [
            lambda: b"\xff" + body,
            lambda: body.decode("utf-8", "replace").encode("utf-16"),
            lambda: b"\xef\xbb\xbf" + body,
            lambda: body[: len(body) // 2],
            lambda: body + b"\x00",
            lambda: self._damaged(body),
        ]
        return self._request("POST", "/predict", self.random.choice(damages)() if self._one_in(3) else body)

    def tensor(self) -> bytes:
        """A request of the Open Inference Protocol with binary data whose sizes may be wrong."""
        texts = [self.random.choice([b"pump", "泵".encode(), b"", b"\xff", b"x" * 501]) for _ in range(self._few())]
        binary = b"".join(struct.pack("<I", self._near(len(text))) + text for text in texts)
        shape = self.random.choice([len(texts), len(texts), -1, 10**20, 0.5, "x", None, [1]])
        tensor = {
            "name": self.random.choice(["text", "text", "text", "x", None]),
            "datatype": self.random.choice(["BYTES", "BYTES", "BYTES", "FP32"]),
            "shape": self.random.choice([[shape], [shape], [shape, 1], [shape, 2], [], shape]),
            "parameters": {"binary_data_size": self._near(len(binary))},
        }  # fmt: skip
        head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": self._one_in(2)}}).encode()
        length = self.random.choice([len(head)] * 4 + [self._near(len(head)), 10**20, "x", "-1", "\u0661"])
        return self._request("POST", INFER, head + binary, [f"Inference-Header-Content-Length: {length}"])

    def target(self) -> bytes:
        """Methods and paths that exist, and others."""
        method = self.random.choice(METHODS) if self._one_in(2) else "GET"
        path = self.random.choice(ODD_PATHS) if self._one_in(2) else self.random.choice(PATHS)
        return self._request(method, path, b"{}" if self._one_in(4) else b"")

    def protocol(self) -> bytes:
        """Other versions and protocols, upgrades, and expectations."""
        request, text = self._plain(), b'{"text": "pump"}'
        upgrade, expected = (
            self.random.choice(words) for words in (("websocket", "h2c", "\xff"), ("100-continue", "x"))
        )
        return self.random.choice([
            TLS_HELLO,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 9,
            b"\r\n" * 500 + request,
            *(request.replace(b"HTTP/1.1", version, 1) for version in VERSIONS),
            self._request("GET", "/healthz", b"", ["Connection: Upgrade", f"Upgrade: {upgrade}"]),
            self._request("POST", "/predict", text, [f"Expect: {expected}"]),
            self._head("POST", "/predict", ["Expect: 100-continue", "Content-Length: 2000000"]),
            request.replace(b"\r\n", b"\n"),
            request.replace(b"\r\n", b"\r"),
        ])  # fmt: skip

    def mutated(self) -> bytes:
        """A request with damaged bytes."""
        return self._damaged(self.random.choice([self._plain, self.json, self.tensor])())

    def noise(self) -> bytes:
        """Random bytes."""
        return self.random.randbytes(self.random.choice([0, 1, 50, 70_000]))

    def _plain(self) -> bytes:
        return self._request("POST", "/predict", b'{"text": "oil leak"}')

    def _object(self) -> str:
        fields = [f'"{self.random.choice(["text", "texts"])}": {self._value()}'] * (not self._one_in(10))
        fields += [f'"{self.random.choice(NAMES)}": {self._value()}' for _ in range(self.random.randint(0, 2))]
        return "{" + ", ".join(fields) + "}"

    def _value(self, depth: int = 0) -> str:
        kind = self.random.random()
        if depth > 2 or kind < 0.6:
            return self.random.choice(STRINGS if kind < 0.4 else [*NUMBERS, "null", "true", "[]", "{}"])
        items = [self._value(depth + 1) for _ in range(self.random.choice([0, 1, 3, 40]))]
        if kind < 0.85:
            return f"[{','.join(items)}]"
        return "{" + ",".join(f'"{self.random.choice(NAMES)}":{item}' for item in items) + "}"

    def _request(self, method: str, path: str, body: bytes, fields: list[str] | None = None) -> bytes:
        return self._head(method, path, [*(fields or []), f"Content-Length: {len(body)}"]) + body

    def _head(self, method: str, path: str, fields: list[str]) -> bytes:
        usual = ["Host: x", "Content-Type: application/json", f"Authorization: Bearer {self._token}"]
        usual += ["Connection: close"] * (not self._one_in(4))
        if self._one_in(10):
            del usual[self.random.randrange(len(usual))]
        lines = [f"{method} {path} HTTP/1.1", *usual, *fields, "", ""]
        return "\r\n".join(lines).encode("utf-8" if self._one_in(2) else "latin-1", "replace")

    def _damaged(self, data: bytes) -> bytes:
        """Bytes of it replaced, removed, doubled or inserted."""
        for _ in range(self._few()):
            at = self.random.randrange(len(data) + 1)
            end = at + self.random.randint(1, 9)
            inserted = self.random.choice([self.random.randbytes(2), data[at:end] * 2, b"\r\n", b"\x00", b""])
            data = data[:at] + inserted + data[self.random.choice([at, end]) :]
        return data

    def _cut(self, data: bytes) -> Iterator[bytes]:
        marks = sorted(self.random.randrange(len(data) + 1) for _ in range(self._few()))
        for start, end in zip([0, *marks], [*marks, len(data)], strict=True):
            yield data[start:end]

    def _near(self, size: int) -> int:
        return size if not self._one_in(4) else self.random.choice([0, size + 1, max(0, size - 1), 2**31, 2**32 - 1])

    def _few(self) -> int:
        return self.random.choice([1, 1, 2, 3, 7])

    def _one_in(self, count: int) -> bool:
        return self.random.randrange(count) == 0


def send(port: int, exchange: Exchange, patience: float) -> bytes:
    """All that the server answers before it ends the connection. Raises TimeoutError where it does not end it."""
    with socket.create_connection(("127.0.0.1", port), patience) as connection:
        try:
            for part in exchange.parts:
                connection.sendall(part)
                time.sleep(exchange.pause)
            if exchange.end == "half-close":
                connection.shutdown(socket.SHUT_WR)
        except TimeoutError:
            raise
        except OSError:  # the server has ended it already; what it said may still be read
            pass
        if exchange.end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return b""
        return _read(connection, patience)


def _read(connection: socket.socket, patience: float) -> bytes:
    answer, end = bytearray(), time.monotonic() + patience
    while time.monotonic() < end:
        connection.settimeout(max(_SHORT, end - time.monotonic()))
        try:
            part = connection.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError):
            break
        if not part:
            break
        answer += part
    else:
        raise TimeoutError("the server answers without end")
    return bytes(answer)


def answers(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Status and body of each whole answer; the last one may have been cut off. Raises ValueError for anything else."""
    while data:
        head, mark, rest = data.partition(b"\r\n\r\n")
        found = _STATUS.match(head)
        if not mark or not found:
            raise ValueError(f"not an answer: {data[:200]!r}")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        size = int(length[1]) if length else 0
        body, data = rest[:size], rest[size:]
        if data and not data.startswith(b"HTTP/1.1 "):  # the answer to HEAD has the length of a body and no body
            body, data = b"", rest
        if len(body) == size:
            yield int(found[1]), body
