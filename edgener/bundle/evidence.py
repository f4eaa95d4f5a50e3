"""What a bundle says of itself to others' tools: an ML-BOM, a provenance statement and a model card.

They come from what the manifest has and from what parity measured; all are listed in the manifest, so its signature
covers them. None has a time or a random number, unless SOURCE_DATE_EPOCH sets the time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from edgener.parity.compare import ParityReport
from edgener_runtime.bundle.manifest import FileEntry, Manifest
from edgener_runtime.errors import UserInputError

EPOCH = "SOURCE_DATE_EPOCH"
_ROLES = ("train", "valid", "test", "calibration", "evaluation")


@dataclass(frozen=True)
class UsedData:
    """A data set and what it was used for: train, valid, test, evaluation or calibration."""

    role: str
    source: str
    split: str
    sha256: str
    sentences: int
    entities: int

    @property
    def title(self) -> str:
        """Its name with the split."""
        return f"{self.source} ({self.split})"


@dataclass(frozen=True)
class Evidence:
    """What the documents are made of: the manifest with the variants that passed, their reports, and the command.

    `files` are those that a device loads.
    """

    manifest: Manifest
    reports: tuple[ParityReport, ...]
    arguments: tuple[str, ...]
    files: tuple[FileEntry, ...]

    @property
    def provenance(self) -> Mapping[str, Any]:
        """The record of the manifest."""
        return self.manifest.provenance

    @property
    def data(self) -> tuple[UsedData, ...]:
        """Every data set by its use."""
        records = {**((self.provenance.get("training") or {}).get("data") or {})}
        records |= {role: self.provenance.get(role) for role in ("calibration", "evaluation")}
        used = [(role, record) for role in _ROLES if (record := records.get(role))]
        fields = ("source", "split", "sha256", "sentences", "entities")
        return tuple(UsedData(role, **{name: record[name] for name in fields}) for role, record in used)


def build_time() -> datetime | None:
    """The time of SOURCE_DATE_EPOCH; None without it. Raises UserInputError where it is not a number of seconds."""
    text = os.environ.get(EPOCH)
    if text is None:
        return None
    try:
        return datetime.fromtimestamp(int(text), timezone.utc)
    except (ValueError, OverflowError, OSError):
        raise UserInputError(
            f"{EPOCH} is {text!r}, expected seconds since 1970", f"For example: {EPOCH}=$(git log -1 --format=%ct)"
        ) from None


def package_url(name: str, version: str) -> str:
    """The package URL of a Python distribution."""
    return f"pkg:pypi/{name}@{quote(version, safe='')}"


def libraries(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The distributions, with their versions, that made and judged the bundle; Python itself is not one."""
    yield "edgener", evidence.manifest.edgener_version
    yield from (
        (name, version) for name, version in sorted(evidence.provenance["versions"].items()) if name != "python"
    )
