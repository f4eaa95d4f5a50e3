"""What a bundle records of the export that made it, and how another export of the same differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any

from edgener.confidence.stored import without_scores
from edgener_runtime.bundle.manifest import MANIFEST, FileEntry, Manifest, read_manifest
from edgener_runtime.bundle.verify import entries_here, read_verified
from edgener_runtime.errors import BundleError, UserInputError

from .build import PROVENANCE, SEARCH, bundled_options
from .provenance import file_hashes

_ABSENT = object()
_LAST = ("file", "files", "sha256", "variants")  # hashes of other files, which are compared themselves
_SHOWN = 60  # characters of a value


@dataclass(frozen=True)
class RecordedExport:
    """The options of `edgener export` but for its folders, the data, and the SOURCE_DATE_EPOCH that was set."""

    arguments: tuple[str, ...]
    data: str
    epoch: int | None


@dataclass(frozen=True)
class ChangedFile:
    """A file that differs, and how, in words."""

    file: str
    how: str

    def __str__(self) -> str:
        return f"{self.file}: {self.how}"


def recorded_export(bundle: Path, manifest: Manifest) -> RecordedExport:
    """What the provenance of a bundle says of its export. Raises UserInputError where the bundle has none any more."""
    statement = _entry(manifest, PROVENANCE)
    if statement is None or not (bundle / PROVENANCE).exists():
        raise UserInputError(
            f"{bundle} has no {PROVENANCE}, which says how it was exported",
            "Name the bundle as it was exported: a slim one, and one of a schema before 3, cannot be built again.",
        )
    try:
        predicate = json.loads(read_verified(bundle, statement))["predicate"]
        arguments = tuple(map(str, predicate["buildDefinition"]["externalParameters"]["arguments"]))
        finished = predicate["runDetails"].get("metadata", {}).get("finishedOn")
        epoch = int(datetime.strptime(finished, "%Y-%m-%dT%H:%M:%S%z").timestamp()) if finished else None
        data = str(manifest.provenance["evaluation"]["source"])
    except (KeyError, TypeError, AttributeError, ValueError):
        raise BundleError(f"{bundle / PROVENANCE} does not say how the bundle was exported", "Export it.") from None
    own = bundled_options(manifest.measured is not None, _entry(manifest, SEARCH) is not None)
    return RecordedExport(
        (*arguments, *(word for option, file in own.items() for word in (option, str(bundle / file)))), data, epoch
    )


def require_checkpoint(checkpoint: Path, manifest: Manifest) -> None:
    """Raises UserInputError where a folder is not the checkpoint that a bundle was exported from."""
    if not checkpoint.is_dir():
        raise UserInputError(f"there is no checkpoint {checkpoint}", "Name it: --checkpoint FOLDER")
    recorded, found = manifest.provenance.get("checkpoint"), file_hashes(checkpoint)
    if recorded != found:
        names = sorted((recorded or {}).keys() | found.keys())
        name = next(name for name in names if (recorded or {}).get(name) != found.get(name))
        raise UserInputError(
            f"{checkpoint} is not the checkpoint that the bundle was exported from: {name} differs",
            "Name the folder with the hashes of manifest.json, under provenance: --checkpoint FOLDER",
        )


def differences(bundle: Path, again: Path) -> Iterator[ChangedFile]:
    """The files of a bundle, but for those that show speeds, that differ from another export of it."""
    first, second = compared_files(bundle), compared_files(again)
    # the same root lists the same files, but a bundle may be without whole variants
    names = first.keys() if first[MANIFEST] == second[MANIFEST] else first.keys() | second.keys()
    for name in sorted(names):
        if first.get(name) != second.get(name):
            yield ChangedFile(name, _how(bundle / name, again / name))


def compared_files(bundle: Path) -> dict[str, str]:
    """The SHA-256 of each file of a bundle that another export of it has too.

    That of the manifest is without the score settings, which `edgener thresholds` adds to an export.
    """
    manifest = read_manifest(bundle)
    entries = {entry.path: entry.sha256 for entry in entries_here(bundle, manifest)}
    timed = {entry.path for entry in manifest.measured_files}
    return {MANIFEST: sha256(_exported(bundle / MANIFEST)).hexdigest()} | {
        path: digest for path, digest in entries.items() if path not in timed
    }


def _exported(file: Path) -> bytes:
    """A file as an export wrote it."""
    return without_scores(file.read_bytes()) if file.name == MANIFEST else file.read_bytes()


def _entry(manifest: Manifest, path: str) -> FileEntry | None:
    return next((entry for entry in manifest.files if entry.path == path), None)


def _how(file: Path, again: Path) -> str:
    if not file.exists():
        return "only in the new export"
    if not again.exists():
        return "not in the new export"
    if file.suffix != ".json":
        return f"{file.stat().st_size:,} bytes, in the new export {again.stat().st_size:,} others"
    here, there = (json.loads(_exported(each)) for each in (file, again))
    if here == there:
        return "the same JSON, written otherwise"
    place, here, there = _first_difference(here, there)
    return f"{place or '.'} is {_shown(here)}, in the new export {_shown(there)}"


def _first_difference(here: Any, there: Any, place: str = "") -> tuple[str, Any, Any]:
    """The path of the first value that differs, with both values; a hash of another file comes after all else."""
    if isinstance(here, dict) and isinstance(there, dict):
        for key in sorted(here.keys() | there.keys(), key=lambda key: (key in _LAST, key)):
            pair = here.get(key, _ABSENT), there.get(key, _ABSENT)
            if pair[0] != pair[1]:
                return _first_difference(*pair, f"{place}.{key}")
    if isinstance(here, list) and isinstance(there, list):
        for index, pair in enumerate(zip_longest(here, there, fillvalue=_ABSENT)):
            if pair[0] != pair[1]:
                return _first_difference(*pair, f"{place}[{index}]")
    return place, here, there


def _shown(value: Any) -> str:
    text = "absent" if value is _ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
