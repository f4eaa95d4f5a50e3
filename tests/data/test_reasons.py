"""Reasons: each is for something left out or for something changed, and none is forgotten."""

from __future__ import annotations

from edgener.data import reasons

EVERY = {
    value: 1 for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str) and name[0] != "_"
}


def test_every_reason_is_for_one_thing() -> None:
    left_out, changed = reasons.left_out(EVERY), reasons.changed(EVERY)
    assert left_out.keys() & changed.keys() == set()
    assert EVERY.keys() - left_out.keys() - changed.keys() == {reasons.COMMENTS}
    assert set(map(reasons.records_answered, reasons.ANSWERS)) < reasons.LEFT_OUT_RECORDS


def test_counts_of_a_file_that_is_cut_into_splits_keep_their_kind() -> None:
    for_all = reasons.for_all_splits({reasons.BROKEN: 2, reasons.OFFSETS: 3})
    assert list(reasons.left_out(for_all).values()) == [2] and list(reasons.changed(for_all).values()) == [3]


def test_counts_are_shown_in_words() -> None:
    assert reasons.in_words({reasons.NESTED: 1200, reasons.BROKEN: 1}) == (
        "1,200 nested entities dropped, 1 broken lines skipped"
    )
