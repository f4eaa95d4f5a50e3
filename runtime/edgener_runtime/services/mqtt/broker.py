"""The broker that a bridge connects to, and the topics that it reads and writes."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from paho.mqtt.client import topic_matches_sub

from edgener_runtime.errors import UserInputError
from edgener_runtime.services.secret_file import check_secret_file

PROTOCOLS = ("5", "3.1.1")
_LONGEST_TOPIC = 65535  # bytes of UTF-8


@dataclass(frozen=True)
class Broker:
    """A broker's address, the client id that names the session there, and the credentials.

    `window` is the largest number of unacknowledged messages. Raises UserInputError for a password without a user
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

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise UserInputError(f"there is no MQTT {self.protocol!r}", f"Choose one of: {', '.join(PROTOCOLS)}")
        if not self.client_id:
            raise UserInputError("the client id is empty: a session needs a name", "Give --client-id.")
        if self.password is not None and self.username is None:
            raise UserInputError("there is a password and no user name", "Give --username.")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Topics:
    """Requests (a filter, wildcards and `$share` allowed), answers, dead letters, and the bridge's status.

    Raises UserInputError for an invalid topic, and where the bridge would read its own messages.
    """

    requests: str = "edgener/requests"
    answers: str = "edgener/answers"
    dead_letters: str = "edgener/dead-letters"
    status: str = "edgener/status"

    def __post_init__(self) -> None:
        if not _is_filter(self.requests):
            raise UserInputError(f"{self.requests!r} is not a topic to subscribe to")
        for name in ("answers", "dead_letters", "status"):
            topic = getattr(self, name)
            if not is_topic(topic):
                raise UserInputError(f"{topic!r} is not a topic to publish {name.replace('_', ' ')} on")
            if self.are_requests(topic):
                raise UserInputError(
                    f"{name.replace('_', ' ')} on {topic} would come back as requests: {self.requests} matches it",
                    "Choose topics that do not overlap.",
                )

    def are_requests(self, topic: str) -> bool:
        """Whether the bridge would receive messages published on a topic."""
        shared = self.requests.startswith("$share/")
        return topic_matches_sub(self.requests.split("/", 2)[-1] if shared else self.requests, topic)


def is_topic(name: str) -> bool:
    """Whether messages can be published on a name: no wildcard, not empty, not too long."""
    return 0 < len(name.encode("utf-8", "replace")) <= _LONGEST_TOPIC and not set(name) & set("+#\0")


def _is_filter(name: str) -> bool:
    """Whether a name is a valid filter: a wildcard fills its level, and # is in the last level."""
    levels = name.split("/")
    plain = [level for level in levels if level not in ("+", "#")]
    return name != "" and "#" not in levels[:-1] and all(is_topic(level) for level in plain if level)


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
