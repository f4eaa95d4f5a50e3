"""The table of formats, and the format of a file."""

from __future__ import annotations

from pathlib import Path

from edgener_runtime.errors import UserInputError

from .base import TableFormat
from .delimited import CSV, TSV
from .json_lines import JSON_LINES, PLAIN_LINES
from .parquet import PARQUET

FORMATS = {found.name: found for found in (JSON_LINES, PLAIN_LINES, CSV, TSV, PARQUET)}
"""Each format by its name."""
AUTO = "auto"


def format_of(path: Path, name: str = AUTO) -> TableFormat:
    """The format of this name, or that of the file's suffix. Raises UserInputError where no format has it."""
    if name != AUTO:
        return FORMATS[name]
    found = by_suffix(path)
    if found is None:
        known = ", ".join(suffix for each in FORMATS.values() for suffix in each.suffixes)
        raise UserInputError(
            f"the suffix of {path} says no format; known are {known}", f"Name it: --format {'|'.join(FORMATS)}"
        )
    return found


def by_suffix(path: Path) -> TableFormat | None:
    """The format whose files have this suffix, or None."""
    return next((found for found in FORMATS.values() if path.suffix.lower() in found.suffixes), None)
