"""What a repository of updates says beside its files: the releases of a channel, and the files of a release.

Both are small JSON documents that TUF signs as it signs the files. Publisher and device share this module.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, TypeVar

from edgener_runtime.base.printable import escaped
from edgener_runtime.base.serde import SchemaError, from_data, parse_strictly, to_dict
from edgener_runtime.errors import BundleError, UserInputError

Record = TypeVar("Record")
SCHEMA_VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile("[0-9a-f]{64}")
_MOST_SHARE = 100.0


@dataclass(frozen=True)
class ChannelRelease:
    """A release with the percentage of the devices that it is meant for."""

    version: str
    share: float


@dataclass(frozen=True)
class Channel:
    """The releases of a channel, the newest first."""

    name: str
    releases: tuple[ChannelRelease, ...]
    schema_version: int = SCHEMA_VERSION

    def release_for(self, device: str) -> ChannelRelease | None:
        """The newest release that is meant for a device, or None.

        Each release draws its devices anew, by a hash, and a larger share keeps those that it had.
        """
        return next((each for each in self.releases if draw(self.name, each.version, device) < each.share), None)


@dataclass(frozen=True)
class PublishedFile:
    """A file of a bundle, which the repository has once under its SHA-256, whatever bundles have it."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Release:
    """A bundle as it was published: the files that every device needs, and those of each variant."""

    version: str
    name: str
    files: tuple[PublishedFile, ...]
    variants: dict[str, tuple[PublishedFile, ...]] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def files_for(self, variant: str) -> tuple[PublishedFile, ...]:
        """What a device with this variant needs. Raises UserInputError where the release does not have it."""
        if variant not in self.variants:
            names = ", ".join(sorted(self.variants))
            raise UserInputError(f"release {self.version} has no variant {variant!r}", f"It has: {names}.")
        return (*self.files, *self.variants[variant])

    @property
    def all_files(self) -> tuple[PublishedFile, ...]:
        """Every file, of all variants."""
        return tuple(dict.fromkeys((*self.files, *(file for files in self.variants.values() for file in files))))


def draw(channel: str, version: str, device: str) -> float:
    """A number from 0 up to 100 that a device draws for a release, the same each time."""
    digest = hashlib.sha256("\n".join((channel, version, device)).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 * _MOST_SHARE


def channel_target(name: str) -> str:
    """The name of a channel's document in the repository. Raises UserInputError for what is not a channel's name."""
    if not _NAME.fullmatch(name):
        raise UserInputError(
            f"{name!r} is not a name of a channel", "Use up to 64 letters, digits, dots and dashes: stable"
        )
    return f"channels/{name}.json"


def release_target(version: str) -> str:
    """The name of a release's document in the repository."""
    return f"releases/{version}.json"


def file_target(sha256: str) -> str:
    """The name of a file in the repository: its content alone."""
    return f"files/{sha256}"


def document(record: Any) -> bytes:
    """A document as it is signed, always the same bytes for the same content."""
    return json.dumps(to_dict(record), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_channel(data: bytes, where: str) -> Channel:
    """A channel's document. Raises BundleError where it is not one that this version reads."""
    channel = _read(Channel, data, where)
    for release in channel.releases:
        _require(where, _NAME.fullmatch(release.version), "version", release.version)
        _require(where, 0 <= release.share <= _MOST_SHARE, "share", release.share)
    return channel


def read_release(data: bytes, where: str) -> Release:
    """A release's document. Raises BundleError where it is not one, or names files outside of a bundle."""
    release = _read(Release, data, where)
    _require(where, _NAME.fullmatch(release.version), "version", release.version)
    for file in release.all_files:
        _require(where, _is_inside(file.path), "path", file.path)
        _require(where, _SHA256.fullmatch(file.sha256) and 0 <= file.size < 2**63, "entry of", file.path)
    return release


def _read(cls: type[Record], data: bytes, where: str) -> Record:
    try:
        fields = parse_strictly(data)
        version = fields.get("schema_version") if isinstance(fields, dict) else None
        if version != SCHEMA_VERSION:
            raise BundleError(
                f"{where} has schema version {version!r}; this edgener-runtime reads {SCHEMA_VERSION}",
                "Update edgener-runtime, or publish with edgener of its version.",
            )
        return from_data(cls, fields, where, ignore_unknown=True)
    except (ValueError, SchemaError) as error:
        raise BundleError(f"{where} cannot be read: {escaped(str(error))}", "Publish the bundle again.") from None


def _require(where: str, holds: object, name: str, found: object) -> None:
    if not holds:
        raise BundleError(f"{where} has the {name} {escaped(repr(found))[:100]}", "Publish the bundle again.")


def _is_inside(path: str) -> bool:
    """Whether a path stays in the folder that it is joined to, on every system."""
    parts = PurePosixPath(path).parts
    odd = set(path) & set("\\:\0")
    return bool(parts) and "/".join(parts) == path and ".." not in parts and parts[0] != "/" and not odd
