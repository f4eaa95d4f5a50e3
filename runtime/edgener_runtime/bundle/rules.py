"""What a manifest's fields must hold beyond their types: names that can be shown, labels, lengths and numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

from edgener_runtime.base.printable import escaped, unsafe_character
from edgener_runtime.base.serde import to_dict
from edgener_runtime.decoding.entity import AGGREGATIONS
from edgener_runtime.errors import BundleError
from edgener_runtime.version import version_numbers

from .golden_set import golden_faults
from .graph import IDS, MASK, TYPES

# the dataclasses of manifest.py, which imports this module
Manifest: TypeAlias = Any
TokenizerSettings: TypeAlias = Any
VariantEntry: TypeAlias = Any
VariantReference: TypeAlias = Any
FileEntry: TypeAlias = Any
ReferenceCounts: TypeAlias = Any

INPUTS = (IDS, MASK, TYPES)
_MOST_LEVELS = 64  # of brackets
_MOST_NUMBER = 2**31 - 1  # of subwords, ids and versions
_MOST_GRAPH = 2**31 - 1  # bytes, as of any message of protobuf
_MOST_JSON = 1 << 27  # bytes; large vocabularies have a quarter of it
_FREE = "provenance"  # records what was read elsewhere, such as the names of files, and is shown only escaped
_SHA256 = re.compile("[0-9a-f]{64}")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*[0-9A-Za-z.+-]*")  # no more, as it is part of a command to type
_TEMPERATURES = (0.01, 100.0)
_VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_HINT = "Copy the bundle again, or export it again."


def require_shallow(path: Path, fields: dict[str, Any]) -> None:
    """Raise BundleError where the brackets of a manifest are nested deeper than those of any bundle."""
    level: list[Any] = [fields]
    for _ in range(_MOST_LEVELS):
        level = [item for value in level for item in _items(value)]
    if level:
        raise BundleError(f"{path}: brackets are nested more than {_MOST_LEVELS} deep", _HINT)


def _items(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def require_showable(path: Path, manifest: Manifest) -> None:
    """Raise BundleError at the first name of a manifest with characters that a terminal or a page would obey."""
    fields = {name: value for name, value in to_dict(manifest).items() if name != _FREE}
    for vector in (vector for entry in fields["variants"] if entry["golden"] for vector in entry["golden"]["vectors"]):
        del vector["text"]  # may have any character, and is shown only escaped
    for where, text in _texts("", fields):
        if found := unsafe_character(text):
            raise BundleError(
                f"{path}{escaped(where)}: {_quoted(text)} has the character {found}; expected characters that are "
                "shown as they are",
                "Export the bundle again, with names without control characters and bidirectional overrides.",
            )


def _texts(where: str, value: Any) -> Iterator[tuple[str, str]]:
    """Each text of JSON with its path; the keys of an object too."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield where, key
            yield from _texts(f"{where}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _texts(f"{where}[{index}]", item)


def _quoted(value: Any) -> str:
    return escaped(json.dumps(value, ensure_ascii=False))[:80]


Fault = tuple[str, Any, str]


def require_consistent(path: Path, manifest: Manifest) -> None:
    """Raise BundleError at the first field of a manifest that no bundle can have, with what was found and expected."""
    _refuse(path, "", _faults(manifest))
    own = {each.name: path.parent / each.manifest.path for each in manifest.references}
    for index, entry in enumerate(manifest.variants):
        where = "" if entry.name in own else f".variants[{index}]"
        faults = chain(_variant_faults(entry), golden_faults(entry.golden, manifest.label_set))
        _refuse(own.get(entry.name, path), where, faults)


def require_reference(path: Path, where: str, reference: VariantReference) -> None:
    """Raise BundleError where a variant's manifest is not the file that its name says."""
    _refuse(path, where, _name_faults(reference.name))
    require_same(path, f"{where}.manifest.path", reference.manifest.path, f"variants/{reference.name}.json")


def require_same(path: Path, where: str, found: Any, expected: str) -> None:
    """Raise BundleError where a field is not the one value that it can have."""
    if found != expected:
        _refuse(path, "", [(where.lstrip("."), found, _quoted(expected))])


def _refuse(path: Path, where: str, faults: Iterable[Fault]) -> None:
    for field, found, expected in faults:
        raise BundleError(f"{path}{where}.{field}: found {_quoted(found)}, expected {expected}", _HINT)


def _faults(manifest: Manifest) -> Iterator[Fault]:
    yield from _names("labels", manifest.labels)
    yield from _names("variants", [entry.name for entry in manifest.variants])
    yield from _tokenizer_faults(manifest.tokenizer)
    yield from _score_faults(manifest)
    if manifest.references:
        yield from _names("variants", [each.name for each in manifest.references])
    if manifest.tokenizer.file not in [file.path for file in manifest.files]:
        yield "tokenizer.file", manifest.tokenizer.file, "the path of one of the files"
    graphs = [entry.file for entry in manifest.variants]
    yield from _file_faults([*manifest.files, *manifest.entries, *(each.manifest for each in manifest.references)])
    yield from _size_faults(graphs, _MOST_GRAPH)
    whole = [file for file in manifest.entries if file.path.endswith(".json") or file.path == manifest.tokenizer.file]
    yield from _size_faults(whole, _MOST_JSON)


def _score_faults(manifest: Manifest) -> Iterator[Fault]:
    if manifest.scores is None:
        return
    least, most = _TEMPERATURES
    if not least <= manifest.scores.temperature <= most:
        yield "scores.temperature", manifest.scores.temperature, f"{least:g} to {most:g}"
    if manifest.scores.aggregation not in AGGREGATIONS:
        yield "scores.aggregation", manifest.scores.aggregation, f"one of {', '.join(AGGREGATIONS)}"
    for label, score in manifest.scores.thresholds.items():
        if label not in (types := manifest.label_set.types):
            yield "scores.thresholds", label, f"one of {', '.join(types)}"
        if not 0 <= score <= 1:
            yield f"scores.thresholds.{label}", score, "a score from 0 to 1"


def _size_faults(files: Sequence[FileEntry], most: int) -> Iterator[Fault]:
    """Files that are read whole, and of a size that none of their kind has."""
    for file in files:
        if file.size > most:
            yield f"the entry of {file.path}", file.size, f"at most {most:,} bytes"


def _file_faults(files: Sequence[FileEntry]) -> Iterator[Fault]:
    listed: dict[str, FileEntry] = {}
    for file in files:
        where = f"the entry of {file.path}"
        if not _SHA256.fullmatch(file.sha256) or not 0 <= file.size < 2**63:
            yield where, [file.sha256, file.size], "a SHA-256 of 64 hex digits and a size"
        if listed.setdefault(file.path, file) != file:
            yield where, [file.sha256, file.size], "one entry, or the same again"


def _names(where: str, names: Sequence[str]) -> Iterator[Fault]:
    if not names:
        yield where, [], "at least one"
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if not name.strip():
            yield f"{where}[{index}]", name, "a name"
        if first.setdefault(name, index) < index:
            yield f"{where}[{index}]", name, f"another name than that of {where}[{first[name]}]"


def _tokenizer_faults(settings: TokenizerSettings) -> Iterator[Fault]:
    for name, least in (("max_length", 1), ("stride", 0), ("pad_id", 0), ("embeddings", 1)):
        found = getattr(settings, name)
        if found is not None and not least <= found <= _MOST_NUMBER:
            yield f"tokenizer.{name}", found, f"{least} to {_MOST_NUMBER}"
    if settings.embeddings is not None and settings.pad_id >= settings.embeddings:
        yield "tokenizer.pad_id", settings.pad_id, f"an id below the {settings.embeddings} embeddings"
    known = set(INPUTS) >= set(settings.inputs) and len(set(settings.inputs)) == len(settings.inputs)
    if not known or INPUTS[0] not in settings.inputs:
        yield "tokenizer.inputs", list(settings.inputs), f"{INPUTS[0]} and others of {', '.join(INPUTS)}, each once"
    if settings.case_channel and INPUTS[2] not in settings.inputs:
        yield "tokenizer.inputs", list(settings.inputs), f"{INPUTS[2]}, which have the case channel"


def _name_faults(name: str) -> Iterator[Fault]:
    if not _VARIANT.fullmatch(name) or name == "auto":
        yield "name", name, "a name of letters, digits, dots and dashes, and not auto"


def _variant_faults(entry: VariantEntry) -> Iterator[Fault]:
    yield from _names("needs.providers", entry.requirements.providers)
    yield from _name_faults(entry.name)
    version = entry.requirements.onnxruntime
    if not _VERSION.fullmatch(version) or not version_numbers(version):
        yield "needs.onnxruntime", version, "a version such as 1.23"
    if not 0 <= entry.requirements.operators <= _MOST_NUMBER:
        yield "needs.operators", entry.requirements.operators, "a version, or 0 for none"
    if not 1 <= entry.opset <= _MOST_NUMBER:
        yield "opset", entry.opset, "an opset"
    if entry.drift:
        yield from _count_faults(entry.drift)


def _count_faults(counts: ReferenceCounts) -> Iterator[Fault]:
    found = {
        "texts": (counts.texts,), "certainty": counts.certainty, "length": counts.length,
        "labels": tuple(counts.labels.values()), "unknown": (counts.unknown,),
    }  # fmt: skip
    for name, numbers in found.items():
        if not all(0 <= number <= _MOST_NUMBER for number in numbers):
            yield f"drift.{name}", list(numbers), f"counts of 0 to {_MOST_NUMBER}"
    if counts.unknown > sum(counts.labels.values()):
        yield "drift.unknown", counts.unknown, f"at most the {sum(counts.labels.values())} subwords"
