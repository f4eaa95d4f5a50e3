"""The JSON files that make up a manifest: read once, compared with the hash that lists them, and parsed strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from edgener_runtime.base.files import read_regular
from edgener_runtime.base.printable import escaped
from edgener_runtime.base.serde import SchemaError, from_data, parse_strictly
from edgener_runtime.errors import BundleError

from .rules import require_shallow

MOST_BYTES = 1 << 24  # of a file; those of exports have some thousands
Part = TypeVar("Part")


@dataclass(frozen=True)
class StoredJson:
    """A JSON object as it was read: where from, the SHA-256 of its bytes, and its fields."""

    path: Path
    sha256: str
    fields: dict[str, Any]

    def decoded(self, cls: type[Part], instead: Mapping[str, Any] | None = None) -> Part:
        """The object as a dataclass, with other fields `instead` of its own; those not known are ignored.

        Raises BundleError naming the field that is not as declared.
        """
        try:
            return from_data(cls, {**self.fields, **(instead or {})}, str(self.path), ignore_unknown=True)
        except SchemaError as error:
            raise BundleError(escaped(error.message), "Copy the bundle again, or export it again.") from None


def read_stored(path: Path, expected: str | None = None) -> StoredJson | None:
    """The object of a file with the SHA-256 `expected`; None where there is no file.

    Raises BundleError where it cannot be read, was changed or is damaged.
    """
    try:
        data = read_regular(path, MOST_BYTES)
        found = sha256(data).hexdigest()
        if expected is not None and found != expected:
            raise BundleError(f"{path} was changed: SHA-256 {found[:12]}, expected {expected[:12]}", "Copy it again.")
        fields = dict(parse_strictly(data).items())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}", "Check its permissions and the disk.") from None
    except (ValueError, AttributeError) as error:
        raise BundleError(f"{path} is damaged: {error}", "Copy the bundle again.") from None
    require_shallow(path, fields)
    return StoredJson(path, found, fields)
