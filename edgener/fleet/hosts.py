"""hosts.yaml: which devices there are, how each is reached, and what it runs the bench with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    from yaml import MappingNode, Node

INSTALLS = {
    "runtime": "the device has numpy, tokenizers, click and onnxruntime: edgener-runtime is put beside them",
    "everything": "a fresh environment, filled by pip from the package index or from `wheels`",
    "nothing": "`python` has edgener-runtime already, and that one is measured",
}


@dataclass(frozen=True)
class Host:
    """A device: where it is, who one is there, and how the bench is run.

    `key`, `known_hosts` and `wheels` are paths here, `python` and `folder` (where the temporary folder is made) are
    paths there; without them ssh's own defaults hold. `timeout` is seconds for the whole visit.
    """

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    key: str | None = None
    known_hosts: str | None = None
    python: str = "python3"
    install: str = "runtime"
    wheels: str | None = None
    folder: str | None = None
    timeout: float = 3600.0

    @property
    def target(self) -> str:
        """What follows `ssh` in a command."""
        port = f"-p {self.port} " if self.port else ""
        return f"{port}{self.user + '@' if self.user else ''}{self.address}"


@dataclass(frozen=True)
class _Field:
    """What a key may hold, in words and as a test."""

    expected: str
    fits: Callable[[Any], bool]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < float("inf")


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TEXT = _Field("a text", _is_text)
_PATH = _Field("a path", _is_text)
_FIELDS = {
    "name": _Field(
        "letters, digits, '.', '_' and '-' (a file is named so)",
        lambda value: _is_text(value) and _NAME.fullmatch(value) is not None,
    ),
    "address": _Field("a host's name or address", lambda value: _is_text(value) and not value.startswith("-")),
    "port": _Field("a port from 1 to 65535", lambda value: type(value) is int and 0 < value < 65536),
    "user": _TEXT,
    "key": _PATH,
    "known_hosts": _PATH,
    "python": _TEXT,
    "install": _Field(f"one of {', '.join(INSTALLS)}", lambda value: value in INSTALLS),
    "wheels": _PATH,
    "folder": _PATH,
    "timeout": _Field("seconds, more than 0", _is_number),
}
_OURS = ("key", "known_hosts", "wheels")  # paths on this machine
_OWN = ("name", "address")  # never the same for all


def read_hosts(path: Path) -> tuple[Host, ...]:
    """The devices that a hosts.yaml lists. Raises UserInputError with file, line, found and expected."""
    root = _compose(path)
    top = dict(_entries(path, root, ("defaults", "hosts")))
    if "hosts" not in top:
        raise _fault(path, root, f"found {', '.join(top) or 'nothing'}", "a list of devices under 'hosts'")
    shared = [name for name in _FIELDS if name not in _OWN]
    defaults = _values(path, top["defaults"], shared) if "defaults" in top else {}
    hosts: dict[str, Host] = {}
    for node in _items(path, top["hosts"]):
        host = _host(path, node, defaults)
        if host.name in hosts:
            raise _fault(path, node, f"found {host.name!r} again", "a name of its own for each device (name: ...)")
        hosts[host.name] = host
    return tuple(hosts.values())


def _host(path: Path, node: Node, defaults: dict[str, Any]) -> Host:
    values = defaults | _values(path, node, list(_FIELDS))
    if "address" not in values:
        raise _fault(path, node, "found no 'address'", "address: a host's name or address")
    values.setdefault("name", re.sub(r"[^A-Za-z0-9._-]", "-", values["address"]).strip("-."))
    if values.get("wheels") and values.get("install") != "everything":
        raise _fault(path, node, "found 'wheels'", "install: everything beside it; nothing else takes wheels")
    return Host(**values)


def _values(path: Path, node: Node, names: list[str]) -> dict[str, Any]:
    """What a mapping's keys hold, each checked; paths of this machine are absolute."""
    values: dict[str, Any] = {}
    for name, value in _entries(path, node, names):
        found = _scalar(value)
        if not _FIELDS[name].fits(found):
            shown = _kind(value) if found is None else repr(found)
            raise _fault(path, value, f"{name}: found {shown}", _FIELDS[name].expected)
        values[name] = _here(path, found) if name in _OURS else found
    return values


def _here(path: Path, found: str) -> str:
    """A path as it is meant: below one's home, or beside hosts.yaml."""
    return str(path.parent.absolute() / Path(found).expanduser())


def _entries(path: Path, node: Node, names: list[str] | tuple[str, ...]) -> Iterator[tuple[str, Node]]:
    """Keys and values of a mapping, each key known and there once."""
    seen: set[str] = set()
    for key_node, value in _mapping(path, node).value:
        key = str(_scalar(key_node))
        if key not in names:
            near = get_close_matches(key, names, n=1)
            expected = f"{near[0]!r}?" if near else f"one of {', '.join(names)}"
            raise _fault(path, key_node, f"found the key {key!r}", expected)
        if key in seen:
            raise _fault(path, key_node, f"found {key!r} a second time", "each key once")
        seen.add(key)
        yield key, value


def _items(path: Path, node: Node) -> list[Node]:
    from yaml import SequenceNode

    if not isinstance(node, SequenceNode) or not node.value:
        raise _fault(path, node, f"hosts: found {_kind(node)}", "a list with a device or more")
    return list(node.value)


def _mapping(path: Path, node: Node) -> MappingNode:
    from yaml import MappingNode

    if not isinstance(node, MappingNode):
        raise _fault(path, node, f"found {_kind(node)}", "keys and values, such as address: 192.0.2.10")
    return node


def _compose(path: Path) -> Node:
    """The file as a tree that knows its lines."""
    import yaml

    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise UserInputError(f"cannot read {path}: {error.strerror}", "See docs/fleet.md for an example.") from None
    except UnicodeDecodeError as error:
        raise UserInputError(f"{path}: not UTF-8 at byte {error.start}", "Convert it first.") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserInputError(f"{path}:{line}: not YAML: {error.problem}", "Mend the line.") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise UserInputError(f"{path}: not YAML: {str(error).splitlines()[0]}", "Mend it.") from None
    if root is None:
        raise UserInputError(f"{path} is empty, expected a list of devices under 'hosts'", "See docs/fleet.md.")
    return root


def _scalar(node: Node) -> Any:
    """A scalar as Python has it; None for anything else, and for what YAML alone does not make."""
    import yaml

    if not isinstance(node, yaml.ScalarNode):
        return None
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError):  # a tag of Python's, a date of the 35th, a number of thousands of digits
        return None


def _kind(node: Node) -> str:
    from yaml import ScalarNode, SequenceNode

    if isinstance(node, ScalarNode):
        return repr(node.value)
    return "a list" if isinstance(node, SequenceNode) else "keys and values"


def _fault(path: Path, node: Node, found: str, expected: str) -> UserInputError:
    return UserInputError(f"{path}:{node.start_mark.line + 1}: {found}, expected {expected}", "See docs/fleet.md.")
