"""The socket of a server: a checked address, and TLS."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener_runtime.errors import UserInputError
from edgener_runtime.services.secret_file import check_secret_file


@dataclass(frozen=True)
class TlsFiles:
    """A certificate with its chain, and its key, both PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Listener:
    """A bound socket and its TLS; a context manager that closes it."""

    socket: socket.socket
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """The URL for a browser."""
        host, port = self.socket.getsockname()[:2]
        return f"{'https' if self.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def is_public(self) -> bool:
        """Whether other machines can connect."""
        return not _is_loopback(self.socket.getsockname()[0])

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()


def open_listener(host: str, port: int, token: str | None, tls: TlsFiles | None = None) -> Listener:
    """Bind to an address. Raises UserInputError where that fails, or for a public address without a token."""
    family, address = _resolve(host, port)
    if token is None and not _is_loopback(address[0]):
        raise UserInputError(
            f"{host} can be reached from other machines, and there is no token",
            "Give one with --token-file FILE or EDGENER_TOKEN, or listen on 127.0.0.1.",
        )
    context = _tls_context(tls) if tls else None
    # asyncio sends small writes at once on sockets that name the protocol, and those accepted name that of this one
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise UserInputError(
            f"cannot listen on {host}:{port}: {error.strerror}", "Choose another --port or --host."
        ) from None
    return Listener(bound, context)


def _tls_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    check_secret_file(files.key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key, password="")  # otherwise OpenSSL prompts on the terminal
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise UserInputError(
            f"cannot use certificate {files.certificate} with key {files.key}: {error}",
            "Give PEM files that belong together, the key without a password.",
        ) from None
    return context


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UserInputError(f"there is no host {host!r}: {error}", "Give an address of this machine.") from None
    return family, address
