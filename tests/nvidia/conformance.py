"""Compares our uses of TensorRT's interface with a version of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .names import Use

Api = Mapping[str, Mapping[str, str]]
"""Classes with their members and what these say of themselves, the module under ""."""


def missing(used: list[Use], api: Api) -> list[str]:
    """What is used and not there, or there with other arguments; optional uses aside."""
    return [f"line {use.line}: {fault}" for use in used if not use.optional for fault in _faults(use, api)]


def _faults(use: Use, api: Api) -> Iterator[str]:
    name = f"{use.owner or 'the module'}.{use.name}"
    if use.name not in api.get(use.owner.partition(".")[0], {}) and not _nested(use, api):
        yield f"there is no {name}"
    elif use.arguments is not None and (said := _said(use, api)):
        forms = [*_signatures(use.name, said)]
        if forms and not any(_fits(use, form) for form in forms):
            yield f"{name} does not take {use.arguments} arguments and {', '.join(use.keywords) or 'no keywords'}"


def _nested(use: Use, api: Api) -> bool:
    """A class within a class (ILogger.Severity) is known by its members' names alone: those of enumerations."""
    outer, _, inner = use.owner.partition(".")
    return bool(inner) and inner in api.get(outer, {}) and use.name in ("name", "value")


def _said(use: Use, api: Api) -> str:
    if use.owner == "":  # a class of the module, called: what its constructor says
        return api.get(use.name, {}).get("__init__", "")
    return api.get(use.owner, {}).get(use.name, "")


def _signatures(name: str, said: str) -> Iterator[list[tuple[str, bool]]]:
    """The parameters of each form of a function, with whether they may be left out, from what pybind11 says of it."""
    for line in said.splitlines():
        if found := re.match(rf"(?:\d+\. )?(?:{re.escape(name)}|__init__)\((.*)\) -> ", line.strip()):
            parts = [part.strip() for part in _split(found[1])]
            named = [(part.partition(":")[0].strip(), "=" in part) for part in parts if part not in ("", "*", "/")]
            yield [each for each in named if each[0] != "self"]


def _split(parameters: str) -> Iterator[str]:
    """At the commas that stand in no brackets."""
    depth, part = 0, ""
    for sign in parameters:
        depth += (sign in "[(<{") - (sign in "])>}")
        if sign == "," and not depth:
            yield part
            part = ""
        else:
            part += sign
    yield part


def _fits(use: Use, form: list[tuple[str, bool]]) -> bool:
    if any(name.startswith("*") for name, _ in form):
        return True
    given = use.arguments or 0
    names = [name for name, _ in form]
    needed = [name for name, has_default in form[given:] if not has_default]
    return given <= len(form) and set(use.keywords) <= set(names[given:]) and set(needed) <= set(use.keywords)
