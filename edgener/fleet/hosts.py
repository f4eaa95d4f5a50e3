"""hosts.yaml: the devices of a benchmark, how to reach each, and the Python and runtime that it uses."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener.settings import SettingsFile, setting
from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    from yaml import Node

INSTALLS = {
    "runtime": "the device has numpy, tokenizers, click and onnxruntime: edgener-runtime is put beside them",
    "everything": "a fresh environment, filled by pip from the package index or from `wheels`",
    "nothing": "`python` has edgener-runtime already, and that one is measured",
}


def _is_filled(value: str) -> bool:
    return value != ""


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TEXT: dict[str, Any] = {"expected": "a text", "fits": _is_filled}
_PATH: dict[str, Any] = {"expected": "a path", "fits": _is_filled}


@dataclass(frozen=True)
class Host:
    """A device: its address, the login, and how it runs the benchmark.

    `key`, `known_hosts` and `wheels` are paths on this machine; `python` and `folder` (the parent of the temporary
    folder) are paths on the device. Without them ssh's own defaults apply. `timeout` is seconds for the whole session.
    """

    name: str = setting(
        expected="letters, digits, '.', '_' and '-' (a file has this name)",
        fits=lambda value: _NAME.fullmatch(value) is not None,
    )
    address: str = setting(
        expected="a host's name or address", fits=lambda value: value != "" and not value.startswith("-")
    )
    port: int | None = setting(None, "a port from 1 to 65535", lambda value: 0 < value < 65536)
    user: str | None = setting(None, **_TEXT)
    key: str | None = setting(None, **_PATH)
    known_hosts: str | None = setting(None, **_PATH)
    python: str = setting("python3", **_TEXT)
    install: str = setting("runtime", choices=INSTALLS)
    wheels: str | None = setting(None, **_PATH)
    folder: str | None = setting(None, **_PATH)
    timeout: float = setting(3600.0, "seconds, more than 0", lambda value: 0 < value < float("inf"))

    @property
    def target(self) -> str:
        """The arguments that select this device in an `ssh` command."""
        port = f"-p {self.port} " if self.port else ""
        return f"{port}{self.user + '@' if self.user else ''}{self.address}"


_LOCAL = ("key", "known_hosts", "wheels")  # paths on this machine
_OWN = ("name", "address")  # never the same for all


def read_hosts(path: Path) -> tuple[Host, ...]:
    """The devices that a hosts.yaml lists. Raises UserInputError with file, line, found and expected."""
    file = SettingsFile(path, "address: 192.0.2.10", "See docs/how-to/fleet.md.")
    root = file.root()
    if root is None:
        raise UserInputError(f"{path} is empty, expected a list of devices under 'hosts'", file.hint)
    top = dict(file.entries(root, ("defaults", "hosts")))
    if "hosts" not in top:
        raise file.fault(root, f"found {', '.join(top) or 'nothing'}", "a list of devices under 'hosts'")
    shared = [field.name for field in fields(Host) if field.name not in _OWN]
    defaults = _values(file, top["defaults"], shared) if "defaults" in top else {}
    hosts: dict[str, Host] = {}
    for node in file.items(top["hosts"], "hosts", "a list with a device or more"):
        host = _host(file, node, defaults)
        if host.name in hosts:
            raise file.fault(node, f"found {host.name!r} again", "a different name for each device (name: ...)")
        hosts[host.name] = host
    return tuple(hosts.values())


def _host(file: SettingsFile, node: Node, defaults: dict[str, Any]) -> Host:
    values = defaults | _values(file, node)
    if "address" not in values:
        raise file.fault(node, "found no 'address'", "address: a host's name or address")
    values.setdefault("name", re.sub(r"[^A-Za-z0-9._-]", "-", values["address"]).strip("-."))
    if values.get("wheels") and values.get("install") != "everything":
        raise file.fault(node, "found 'wheels'", "install: everything beside it; no other value uses wheels")
    return Host(**values)


def _values(file: SettingsFile, node: Node, names: Collection[str] | None = None) -> dict[str, Any]:
    """The settings of a device; paths on this machine become absolute: below one's home, or beside hosts.yaml."""
    values = file.values(node, Host, names)
    folder = file.path.parent.absolute()
    return values | {name: str(folder / Path(values[name]).expanduser()) for name in _LOCAL if name in values}
