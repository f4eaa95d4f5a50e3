"""The validator of settings in YAML files: each error has file and line, what was found and expected, and a next step.

A dataclass declares the settings: types, and in the metadata of each field what narrows its type (`setting`).
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import date
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    from yaml import MappingNode, Node

_EXPECTED: dict[type, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def setting(
    default: Any = MISSING, expected: str = "", fits: Callable[[Any], bool] | None = None, limits: str = "",
    choices: Collection[str] = (), may_be_null: bool = False, **metadata: Any,
) -> Any:  # fmt: skip
    """A field of a dataclass of settings: `fits` or `choices` narrow its type.

    In errors `expected` replaces the words for the type; `limits` follow them.
    """
    rule = {"expected": expected, "limits": limits, "fits": fits, "choices": choices, "may_be_null": may_be_null}
    return field(default=default, metadata=rule | metadata)


def expected_of(cls: type, name: str) -> str:
    """What a setting may hold, for people."""
    found, kind = _fields(cls)[name]
    rule = found.metadata
    if rule["choices"]:
        return f"one of {', '.join(rule['choices'])}"
    expected = rule["expected"] or ", ".join(filter(None, (_EXPECTED[kind], rule["limits"])))
    return f"{expected}, or a list of such" if is_list(found) else expected


def is_list(found: Field[Any]) -> bool:
    """Whether a setting holds several values, a tuple; one alone is read as a tuple of one."""
    return isinstance(found.default, tuple)


def read_value(cls: type, name: str, value: Any) -> Any:
    """A setting's value in the type of its field. Raises ValueError or OverflowError where it does not fit."""
    found, kind = _fields(cls)[name]
    rule = found.metadata
    if value is None and rule["may_be_null"]:
        return None
    if is_list(found):
        return tuple(_fitting(kind, rule, item) for item in (value if isinstance(value, list | tuple) else [value]))
    return _fitting(kind, rule, value)


def _fitting(kind: type, rule: Mapping[str, Any], value: Any) -> Any:
    value = _typed(kind, value)
    if (rule["choices"] and value not in rule["choices"]) or (rule["fits"] and not rule["fits"](value)):
        raise ValueError(value)
    return value


def check_options(cls: type, options: dict[str, Any]) -> dict[str, Any]:
    """Settings that were given as options, each in its type. Raises UserInputError that names the option."""
    values = {}
    for name, value in options.items():
        try:
            values[name] = read_value(cls, name, value)
        except (ValueError, OverflowError):
            expected = expected_of(cls, name)
            raise UserInputError(
                f"options: {name}: found {value!r}, expected {expected}", f"Correct --{name.replace('_', '-')}."
            ) from None
    return values


@dataclass(frozen=True)
class SettingsFile:
    """A YAML file: `example` is one of its settings, `hint` the next step of every error."""

    path: Path
    example: str
    hint: str

    def root(self) -> Node | None:
        """The file as a tree that knows its lines; None for an empty one. Raises UserInputError."""
        import yaml

        try:
            root = yaml.compose(self.path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except OSError as error:
            raise UserInputError(f"cannot read {self.path}: {error.strerror}", self.hint) from None
        except UnicodeDecodeError as error:
            raise UserInputError(f"{self.path}: not UTF-8 at byte {error.start}", "Convert it to UTF-8.") from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise UserInputError(f"{self.path}:{line}: not YAML: {error.problem}", "Fix this line.") from None
        except (yaml.YAMLError, RecursionError) as error:
            raise UserInputError(f"{self.path}: not YAML: {str(error).splitlines()[0]}", "Fix the file.") from None
        return None if root is None or root.tag == "tag:yaml.org,2002:null" else root

    def values(self, node: Node, cls: type, names: Collection[str] | None = None) -> dict[str, Any]:
        """The settings of a mapping, of all fields of `cls` or only of `names`. Raises UserInputError."""
        values: dict[str, Any] = {}
        for name, value in self.entries(node, _fields(cls) if names is None else names):
            try:
                values[name] = read_value(cls, name, _plain(value))
            except (ValueError, OverflowError):
                raise self.fault(value, f"{name}: found {_shown(value)}", expected_of(cls, name)) from None
        return values

    def entries(self, node: Node, names: Collection[str]) -> Iterator[tuple[str, Node]]:
        """Keys and values of a mapping. Raises UserInputError for an unknown key and for one that occurs twice."""
        seen: set[str] = set()
        for key_node, value in self._mapping(node).value:
            key = key_node.value if isinstance(key_node.value, str) else _shown(key_node)
            if key not in names:
                near = get_close_matches(key, names, n=1)
                expected = f"{near[0]!r}?" if near else f"one of {', '.join(names)}"
                raise self.fault(key_node, f"found the key {key!r}", expected)
            if key in seen:
                raise self.fault(key_node, f"found {key!r} a second time", "each key once")
            seen.add(key)
            yield key, value

    def items(self, node: Node, name: str, expected: str) -> list[Node]:
        """The items of a list that has at least one. Raises UserInputError."""
        from yaml import SequenceNode

        if not isinstance(node, SequenceNode) or not node.value:
            raise self.fault(node, f"{name}: found {_shown(node)}", expected)
        return list(node.value)

    def fault(self, node: Node, found: str, expected: str) -> UserInputError:
        """The error of a node that does not fit."""
        line = node.start_mark.line + 1
        return UserInputError(f"{self.path}:{line}: {found}, expected {expected}", self.hint)

    def _mapping(self, node: Node) -> MappingNode:
        from yaml import MappingNode

        if not isinstance(node, MappingNode):
            raise self.fault(node, f"found {_shown(node)}", f"keys and values, such as {self.example}")
        return node


@cache
def _fields(cls: type) -> dict[str, tuple[Field[Any], type]]:
    """Each field with its type, without the None of an optional one."""
    hints = typing.get_type_hints(cls)
    return {each.name: (each, (typing.get_args(hints[each.name]) or (hints[each.name],))[0]) for each in fields(cls)}


def _typed(kind: type, value: Any) -> Any:
    if kind is float and type(value) in (int, str):  # YAML 1.1 reads 2e-4 as a text
        return float(value)
    if kind is str and isinstance(value, date):
        return str(value)
    if type(value) is not kind:
        raise ValueError(value)
    return value


class _NoScalar:
    """Stands for a mapping, and whatever SafeLoader cannot make of a scalar."""


def _plain(node: Node) -> Any:
    """A scalar or a list of scalars as Python has it."""
    from yaml import SequenceNode

    return [_scalar(item) for item in node.value] if isinstance(node, SequenceNode) else _scalar(node)


def _scalar(node: Node) -> Any:
    """A scalar as Python has it."""
    import yaml

    if not isinstance(node, yaml.ScalarNode):
        return _NoScalar()
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError):  # a tag of Python's, a date of the 35th, a number of thousands of digits
        return _NoScalar()


def _shown(node: Node) -> str:
    from yaml import ScalarNode, SequenceNode

    if isinstance(node, ScalarNode):
        value = _scalar(node)
        return repr(value if type(value) in (str, int, float, bool) else node.value)
    return "a list" if isinstance(node, SequenceNode) else "keys and values"
