"""The broker that a bridge connects to, and the topics that it reads and writes."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from paho.mqtt.client import topic_matches_sub

from edgener_runtime.errors import UserInputError
from edgener_runtime.services.secret_file import check_secret_file

PROTOCOLS = ("5", "3.1.1")
_LONGEST_TOPIC = 65535  # bytes of UTF-8
_DEEPEST_TOPIC = 200  # slashes; mosquitto ends connections that publish deeper
# wildcards, control characters, surrogates and noncharacters: MQTT lets brokers end connections that send them
_UNFIT = re.compile("[+#\0-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef]")


@dataclass(frozen=True)
class Broker:
    """A broker's address, the client id that names the session there, and the credentials.

    `window` is the largest number of unacknowledged messages; a client whose session the broker does not keep has no
    will either. Raises UserInputError for a password without a user
    name, an empty client id or an unknown protocol.
    """

    host: str = "localhost"
    port: int = 1883
    client_id: str = "edgener"
    protocol: str = "5"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    window: int = 256
    keeps_session: bool = True

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise UserInputError(f"there is no MQTT {self.protocol!r}", f"Choose one of: {', '.join(PROTOCOLS)}")
        if not self.client_id:
            raise UserInputError("the client id is empty: a session needs a name", "Give --client-id.")
        if "@" in self.host or "/" in self.host:  # not repeated: it may have a password
            raise UserInputError("the broker's host is not a name or address alone", "Give --host, --port, --username.")
        if self.password is not None and self.username is None:
            raise UserInputError("there is a password and no user name", "Give --username.")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Topics:
    """Requests (a filter, wildcards and `$share` allowed), answers, dead letters, and the bridge's status.

    `responses` are filters of the response topics that requests may name; without any, all but the bridge's own.
    Raises UserInputError for an invalid topic, and where the bridge would read its own messages.
    """

    requests: str = "edgener/requests"
    answers: str = "edgener/answers"
    dead_letters: str = "edgener/dead-letters"
    status: str = "edgener/status"
    responses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for topics in (self.requests, *self.responses):
            if not _is_filter(topics):
                raise UserInputError(f"{topics!r} is not a topic to subscribe to")
        for name in ("answers", "dead_letters", "status", "monitoring"):
            topic = getattr(self, name)
            if not is_topic(topic):
                raise UserInputError(f"{topic!r} is not a topic to publish {name.replace('_', ' ')} on")
            if self.are_requests(topic):
                raise UserInputError(
                    f"{name.replace('_', ' ')} on {topic} would come back as requests: {self.requests} matches it",
                    "Choose topics that do not overlap.",
                )

    @property
    def monitoring(self) -> str:
        """Where the bridge publishes drift and the state of its label queue, if it has them."""
        return f"{self.status}/monitoring"

    def are_requests(self, topic: str) -> bool:
        """Whether the bridge would receive messages published on a topic."""
        shared = self.requests.startswith("$share/")
        return topic_matches_sub(self.requests.split("/", 2)[-1] if shared else self.requests, topic)

    def refusal(self, response_topic: str) -> str | None:
        """Why no answer may go to a response topic, or None where it may."""
        if not is_topic(response_topic):
            return "it is not a topic to publish on"
        if response_topic.startswith("$"):
            return "topics with $ are the broker's own"
        if response_topic in (self.dead_letters, self.status, self.monitoring) or self.are_requests(response_topic):
            return "the bridge uses it itself"
        if self.responses and not any(topic_matches_sub(allowed, response_topic) for allowed in self.responses):
            return f"only {', '.join(self.responses)} are allowed"
        return None


def is_topic(name: str) -> bool:
    """Whether brokers let clients publish on a name: no wildcard or control character, not empty, long or deep."""
    if _UNFIT.search(name) or any(ord(letter) & 0xFFFE == 0xFFFE for letter in name):
        return False
    return 0 < len(name.encode()) <= _LONGEST_TOPIC and name.count("/") <= _DEEPEST_TOPIC


def _is_filter(name: str) -> bool:
    """Whether a name is a valid filter: a wildcard fills its level, and # is in the last level."""
    levels = name.split("/")
    plain = [level for level in levels if level not in ("+", "#")]
    return name != "" and "#" not in levels[:-1] and all(is_topic(level) for level in plain if level)


def default_client_id(bundle: Path, root: Path = Path("/")) -> str:
    """A client id for this host and the bundle's path, the same after each restart; 23 letters, which any broker takes.

    Hosts differ in name, machine id and a board's serial number. `root` holds /etc and /proc.
    """
    marks = [socket.gethostname().encode(), os.fsencode(bundle.absolute())]
    for file in (root / "etc" / "machine-id", root / "proc" / "device-tree" / "serial-number"):
        marks.append(file.read_bytes() if os.access(file, os.R_OK) else b"")
    return f"edgener-{hashlib.sha256(bytes(1).join(marks)).hexdigest()[:15]}"


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """TLS that verifies the broker's certificate against a file of authorities, else against the system's.

    Raises UserInputError where the file has no certificate.
    """
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except OSError as error:
        raise UserInputError(f"cannot read certificates of {ca_file}: {error.strerror or error}") from None


def read_password(file: Path) -> str:
    """The password in a file, without its final newline. Raises UserInputError where the file has none."""
    check_secret_file(file)
    try:
        password = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UserInputError(f"cannot read the password in {file}: {reason}") from None
    if not password:
        raise UserInputError(f"{file} holds no password")
    return password
