"""The version of this distribution, and how versions are compared."""

from __future__ import annotations

import re

__version__ = "0.1.0"


def version_numbers(version: str) -> tuple[int, ...]:
    """A version's leading numbers, to compare by: 0.10.0 is later than 0.9.1."""
    leading = re.match(r"\d+(\.\d+)*", version, re.ASCII)
    return tuple(map(int, leading[0].split("."))) if leading else ()
