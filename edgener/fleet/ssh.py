"""SSH connections to devices: only to known host keys, and never interactive."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.base.install import BUILD_SIDE, install_line
from edgener_runtime.errors import DeviceError, UserInputError

from .hosts import Host

if TYPE_CHECKING:
    from asyncssh import SSHClientConnection

_PATIENCE = 20  # seconds, for the connection and then for the login
_ALIVE = {"keepalive_interval": 10, "keepalive_count_max": 3}  # detects a vanished device in 40 seconds


def check_asyncssh() -> None:
    """Raises UserInputError if asyncssh, an extra, is not installed."""
    try:
        import asyncssh  # noqa: F401
    except ImportError:
        raise UserInputError("--hosts needs asyncssh", install_line("fleet", BUILD_SIDE)) from None


def broken() -> tuple[type[Exception], ...]:
    """The exceptions of a broken connection while reading or writing."""
    import asyncssh

    return OSError, asyncio.IncompleteReadError, asyncssh.Error


@asynccontextmanager
async def connected(host: Host) -> AsyncIterator[SSHClientConnection]:
    """A connection with ssh's own settings (~/.ssh/config, agent, keys), without passwords.

    Raises DeviceError that says what is wrong with address, key or login, and the next command to type.
    """
    import asyncssh

    try:
        connection = await asyncssh.connect(host.address, **_options(host))
    except (OSError, asyncssh.Error, asyncssh.KeyImportError) as error:
        raise _refusal(host, error) from None
    try:
        yield connection
    finally:
        connection.abort()  # not close: it would wait for a device that may be gone


def _options(host: Host) -> dict[str, Any]:
    """Only what hosts.yaml has, so that asyncssh otherwise uses ssh's own settings."""
    import asyncssh

    given: dict[str, Any] = {"port": host.port, "username": host.user}
    options = {name: value for name, value in given.items() if value is not None}
    if host.key:
        options |= {"client_keys": [host.key], "agent_path": None}
    if host.known_hosts:  # never None: asyncssh would trust any host
        file = Path(host.known_hosts)
        options["known_hosts"] = str(file) if file.is_file() else asyncssh.import_known_hosts("")
    limits = {"connect_timeout": _PATIENCE, "login_timeout": _PATIENCE}
    return {**options, **limits, **_ALIVE, "preferred_auth": "publickey"}


def _refusal(host: Host, error: Exception) -> DeviceError:
    import asyncssh

    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return _unknown_key(host)
    if isinstance(error, asyncssh.PermissionDenied):
        return DeviceError(
            f"{host.target} accepts none of the offered keys" + (f" ({host.key})" if host.key else ""),
            f"Copy the key there: ssh-copy-id {_key(host)}{host.target}",
        )
    if isinstance(error, asyncssh.KeyImportError | FileNotFoundError):  # an encrypted key raises the former
        return DeviceError(
            f"cannot use the key {host.key or 'of ~/.ssh'}: {_message(error)}",
            "Name a private key without a passphrase, or leave out `key` and add yours: ssh-add FILE",
        )
    return DeviceError(f"cannot reach {host.target}: {_message(error)}", f"Try: ssh {_key(host)}{host.target}")


def _unknown_key(host: Host) -> DeviceError:
    """The error for a host key that is missing in known_hosts, or has changed."""
    where = f"-o UserKnownHostsFile={shlex.quote(host.known_hosts)} " if host.known_hosts else ""
    file = host.known_hosts or "~/.ssh/known_hosts"
    name = f"[{host.address}]:{host.port}" if host.port not in (None, 22) else host.address
    if _has_key(host):
        return DeviceError(
            f"{host.target} has another host key than {file}: the device was reinstalled, or is a different one",
            f"If you know why: ssh-keygen -f {file} -R {shlex.quote(name)}",
        )
    return DeviceError(
        f"the host key of {host.target} is not in {file}",
        f"Check its fingerprint and add it: ssh {where}{_key(host)}{host.target} true",
    )


def _has_key(host: Host) -> bool:
    import asyncssh

    file = Path(host.known_hosts or "~/.ssh/known_hosts").expanduser()
    try:
        known = asyncssh.read_known_hosts(str(file))
    except (OSError, ValueError):
        return False
    return bool(known.match(host.address, "", host.port or 22)[0])


def _key(host: Host) -> str:
    return f"-i {shlex.quote(host.key)} " if host.key else ""


def _message(error: Exception) -> str:
    """The system's own message if there is one; asyncio's names calls instead."""
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else str(error) or type(error).__name__
