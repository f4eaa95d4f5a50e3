"""Notes of a table: each reason has one letter."""

from __future__ import annotations

from edgener.notes import letters_of, note_lines, notes_of


def test_a_reason_has_the_same_letter_in_every_row() -> None:
    notes = notes_of([("busy",), (), ("drifting", "busy")])
    assert note_lines(notes) == ["[a] busy", "[b] drifting"]
    assert letters_of(notes, ("drifting", "busy")) == "b, a" and letters_of(notes, ()) == ""


def test_letters_go_on_after_z_and_none_comes_twice() -> None:
    notes = notes_of([[str(number)] for number in range(800)])
    found = [note.letter for note in notes.values()]
    assert found[25:28] == ["z", "aa", "ab"] and found[26 + 26 * 26 - 1 :][:2] == ["zz", "aaa"]
    assert len(set(found)) == 800
