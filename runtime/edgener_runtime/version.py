"""The version of this distribution, and how versions are compared."""

from __future__ import annotations

import re

__version__ = "0.1.0"
_MOST_DIGITS = 18  # of a number; Python refuses to read one of thousands


def version_numbers(version: str) -> tuple[int, ...]:
    """A version's leading numbers, to compare by: 0.10.0 is later than 0.9.1. () where it has none."""
    leading = re.match(r"\d+(\.\d+)*", version, re.ASCII)
    numbers = leading[0].split(".") if leading else []
    return tuple(map(int, numbers)) if max(map(len, numbers), default=0) <= _MOST_DIGITS else ()
