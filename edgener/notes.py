"""Notes of a table: a letter in a cell, and the reason that it stands for below the table.

Reasons are sentences, and many rows can share one. With letters in their place, rows stay on one line, in pages as on
terminals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import ascii_lowercase


@dataclass(frozen=True)
class Note:
    """A letter and what it stands for."""

    letter: str
    reason: str


def notes_of(rows: Iterable[Sequence[str]]) -> dict[str, Note]:
    """The notes by their reasons, in the order in which rows have them."""
    reasons = dict.fromkeys(reason for row in rows for reason in row)
    return {reason: Note(_letter(number), reason) for number, reason in enumerate(reasons)}


def letters_of(notes: dict[str, Note], reasons: Iterable[str]) -> str:
    """The letters of some reasons: `a, c`."""
    return ", ".join(notes[reason].letter for reason in reasons)


def note_lines(notes: dict[str, Note]) -> list[str]:
    """A line per note, as a terminal shows it."""
    return [f"[{note.letter}] {note.reason}" for note in notes.values()]


def _letter(number: int) -> str:
    """a to z, then aa, ab and so on."""
    before, last = divmod(number, len(ascii_lowercase))
    return (_letter(before - 1) if before else "") + ascii_lowercase[last]
