"""Frozen dataclasses to JSON and back, strictly: a wrong or missing field names itself and what was expected.

A document that outlives its program, such as a bundle's manifest, is read with `ignore_unknown`: what a later version
added does not concern an older one.

A field is stored under its own name, or under the key of its metadata where the attribute was renamed after
files were written: `seconds: float = field(metadata={"key": "pace"})`. The key None keeps a field out of the document.
"""

from __future__ import annotations

import dataclasses
import json
import math
import reprlib
import types
import typing
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from edgener_runtime.errors import EdgenerError

Record = TypeVar("Record")
_MOST_WHOLE = 10**300  # a whole number with more digits is not a float
_JSON = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false", list: "a list", dict: "an object",
}  # fmt: skip


class SchemaError(EdgenerError):
    """A JSON document that does not have the shape its dataclass declares."""

    exit_code = 2


def to_json(record: Any) -> str:
    """A dataclass as indented JSON with a final newline; tuples become lists."""
    return json.dumps(to_dict(record), indent=2, ensure_ascii=False) + "\n"


def to_dict(record: Any) -> dict[str, Any]:
    """`dataclasses.asdict` with the keys of JSON."""
    return {_key(field): _plain(getattr(record, field.name)) for field in _stored(type(record))}


def _stored(cls: Any) -> list[dataclasses.Field[Any]]:
    """The fields that the document has."""
    return [field for field in dataclasses.fields(cls) if field.metadata.get("key", field.name) is not None]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value


def _key(field: dataclasses.Field[Any]) -> str:
    return str(field.metadata.get("key", field.name))


def from_json(cls: type[Record], text: str, where: str, *, ignore_unknown: bool = False) -> Record:
    """Read a dataclass from JSON; `where` names the document in errors. Unknown fields are refused, or ignored.

    Raises SchemaError with the path of the field, what was found and what was expected.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise SchemaError(f"{where}:{error.lineno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets thousands deep
        raise SchemaError(f"{where}: JSON that cannot be read: {error}") from None
    return from_data(cls, data, where, ignore_unknown=ignore_unknown)


def from_data(cls: type[Record], data: Any, where: str, *, ignore_unknown: bool = False) -> Record:
    """`from_json` of JSON that was parsed before."""
    return typing.cast(Record, _Decoder(ignore_unknown).decode(cls, data, where))


def parse_strictly(data: bytes) -> Any:
    """JSON in UTF-8 with one meaning: each key once per object, and finite numbers. Raises ValueError otherwise."""
    try:
        return json.loads(
            data.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_once_each
        )
    except RecursionError:
        raise ValueError("brackets nested too deeply") from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def _finite(number: str) -> float:
    if not math.isfinite(found := float(number)):
        raise ValueError(f"the number {number[:20]} is too large")
    return found


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {json.dumps(twice)[:40]} stands twice in an object")
    return found


def load_json(cls: type[Record], path: Path) -> Record:
    """`from_json` of a file in UTF-8."""
    try:
        return from_json(cls, path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise SchemaError(f"{path}: not UTF-8 at byte {error.start}") from None


def has_field(cls: type, path: str) -> bool:
    """Whether a dataclass has the field of a dotted path of keys; a list or mapping stands for what it holds."""
    key, dot, rest = path.partition(".")
    field = _fields(cls).get(key)
    if field is None or not dot:
        return field is not None
    inner = _record_in(field.type)
    return inner is not None and has_field(inner, rest)


def _record_in(expected: Any) -> type | None:
    """The dataclass that a type is, or that its lists, mappings or unions hold."""
    if dataclasses.is_dataclass(expected):
        return typing.cast(type, expected)
    return next(filter(None, map(_record_in, typing.get_args(expected))), None)


@dataclasses.dataclass(frozen=True)
class _Decoder:
    ignore_unknown: bool

    def decode(self, expected: Any, value: Any, where: str) -> Any:
        if dataclasses.is_dataclass(expected):
            return self._record(typing.cast(type, expected), value, where)
        origin, arguments = typing.get_origin(expected), typing.get_args(expected)
        if origin is tuple:
            items = _typed(value, list, where)
            if arguments[-1] is not Ellipsis and len(items) != len(arguments):
                raise SchemaError(f"{where}: expected a list of {len(arguments)}, found one of {len(items)}")
            return tuple(self.decode(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(items))
        if origin is dict:
            entries = _typed(value, dict, where)
            return {key: self.decode(arguments[1], item, f"{where}.{key}") for key, item in entries.items()}
        if origin in (typing.Union, types.UnionType):
            return None if value is None else self.decode(arguments[0], value, where)
        if expected is Any:
            return value
        return _typed(value, expected, where)

    def _record(self, cls: type, value: Any, where: str) -> Any:
        found = _typed(value, dict, where)
        fields = _fields(cls)
        if not self.ignore_unknown and (unknown := sorted(set(found) - set(fields))):
            raise SchemaError(f"{where}: unknown field {unknown[0]!r}; expected {', '.join(fields)}")
        missing = [key for key, field in fields.items() if field.required and key not in found]
        if missing:
            raise SchemaError(f"{where}: field {missing[0]!r} is missing")
        known = {key: item for key, item in found.items() if key in fields}
        return cls(
            **{fields[key].name: self.decode(fields[key].type, item, f"{where}.{key}") for key, item in known.items()}
        )


class _RecordField(typing.NamedTuple):
    name: str
    type: Any
    required: bool


@cache
def _fields(cls: type) -> dict[str, _RecordField]:
    """The fields of a dataclass by their keys in JSON."""
    hints = typing.get_type_hints(cls)
    return {
        _key(field): _RecordField(
            field.name,
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in _stored(cls)
    }


def _typed(value: Any, expected: type, where: str) -> Any:
    if expected is float and type(value) is int and abs(value) < _MOST_WHOLE:
        return float(value)
    if type(value) is not expected:
        raise SchemaError(f"{where}: expected {_JSON[expected]}, found {_shown(value)[:40]}")
    return value


def _shown(value: Any) -> str:
    """A value for a message, as JSON unless it may be nested too deeply for that."""
    return reprlib.repr(value) if value and isinstance(value, (list, dict)) else json.dumps(value, ensure_ascii=False)
