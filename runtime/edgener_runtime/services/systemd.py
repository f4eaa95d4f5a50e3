"""Messages to systemd, for services with Type=notify: one datagram each, as sd_notify(3) describes them."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

READY, STOPPING, KEEP_ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"


def notify(state: str, environment: Mapping[str, str] = os.environ) -> None:
    """Send a state to systemd where it asks for them (NOTIFY_SOCKET); it notices itself what does not arrive."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.setblocking(False)
        channel.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
