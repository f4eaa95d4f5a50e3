"""Checks of request fields, as the schema in openapi.py describes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgener_runtime.decoding.entity import Decoding

from .error_responses import RequestError
from .limits import Limits
from .request_body import kind

OPTIONS = ("aggregation", "strict", "thresholds", "offsets")  # the fields of Decoding


def refuse_unknown(record: Mapping[str, Any], known: tuple[str, ...], where: str = "the body") -> None:
    """Raise RequestError 422 for an unknown field."""
    for name in record:
        if name not in known:
            raise RequestError(422, f"{where} has the unknown field {name!r}", f"Known: {', '.join(known) or 'none'}")


def decoding_of(record: Mapping[str, Any]) -> Decoding:
    """The decoding options of a record. Raises RequestError 422 for another type, UserInputError for another value."""
    options = {name: record[name] for name in OPTIONS if name in record}
    for name, value in options.items():
        _CHECKS[name](value, name)
    return Decoding(**options)


def text_of(value: Any, name: str, limits: Limits) -> str:
    """A text. Raises RequestError: 422 for another type, 413 for a long text."""
    text = string(value, name)
    if len(text) > limits.text:
        raise RequestError(
            413,
            f"{name} has {len(text)} characters, at most {limits.text} are accepted",
            "Split it, if possible between sentences.",
        )
    return text


def few_enough(count: int, limits: Limits) -> None:
    """Raise RequestError 413 for more texts than the queue holds."""
    if count > limits.queue:
        raise RequestError(
            413, f"the request has {count} texts, at most {limits.queue} are accepted", "Send them in several requests."
        )


def array(value: Any, name: str) -> list[Any]:
    """An array. Raises RequestError 422 for another type."""
    return list(_typed(value, name, list))


def string(value: Any, name: str) -> str:
    """A string. Raises RequestError 422 for another type."""
    return str(_typed(value, name, str))


def _typed(value: Any, name: str, expected: type) -> Any:
    if type(value) is not expected:
        raise RequestError(422, f"{name} is {kind(value)}, expected {kind(expected())}")
    return value


def _scores(value: Any, name: str) -> None:
    for label, score in _typed(value, name, dict).items():
        if type(score) not in (int, float):
            raise RequestError(422, f"{name}.{label} is {kind(score)}, expected a number")


def _flag(value: Any, name: str) -> None:
    _typed(value, name, bool)


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "aggregation": string,
    "strict": _flag,
    "thresholds": _scores,
    "offsets": string,
}
