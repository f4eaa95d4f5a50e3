"""Which bundles a runtime reads: its own schema and those before, unless the bundle asks for a later runtime.

A schema only grows: fields are added with a default, never renamed, removed or given another meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgener_runtime.base.printable import escaped
from edgener_runtime.errors import BundleError
from edgener_runtime.version import __version__, version_numbers

SCHEMA_VERSION = 3
LAST_WHOLE = 2  # until then manifest.json had the variants inside
MINIMUM_RUNTIME = "0.1.0"  # the oldest edgener-runtime that reads SCHEMA_VERSION
_READABLE = range(1, SCHEMA_VERSION + 1)


def require_readable(path: Path, fields: Mapping[str, Any]) -> None:
    """Raise BundleError where a manifest's schema is not readable here, or asks for a later runtime than this one."""
    version, minimum = fields.get("schema_version"), fields.get("minimum_runtime")
    if version not in _READABLE:
        newer = type(version) is int and version > SCHEMA_VERSION
        raise BundleError(
            f"{path} has schema version {version!r}; this edgener-runtime reads 1 to {SCHEMA_VERSION}",
            update_hint(minimum) if newer else "Export the bundle again.",
        )
    if isinstance(minimum, str) and not () < version_numbers(minimum) <= version_numbers(__version__):
        raise BundleError(
            f"{path} needs edgener-runtime {escaped(minimum)} or later; this is {__version__}", update_hint(minimum)
        )


def require_known(path: Path, unknown: Sequence[str]) -> None:
    """Raise BundleError where fields that a manifest marks as critical are not known here."""
    if unknown:
        raise BundleError(
            f"{path} marks fields as critical that edgener-runtime {__version__} does not know: "
            + escaped(", ".join(unknown)),
            update_hint(None),
        )


def update_hint(minimum: object) -> str:
    """The next step where a bundle is newer than the runtime."""
    version = f" to {escaped(minimum)} or later" if isinstance(minimum, str) else ""
    return f"Update edgener-runtime{version}, or export the bundle again with edgener of this runtime's version."
