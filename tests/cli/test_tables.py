"""Tables on a terminal: words stay whole where they fit."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from edgener.cli.tables import fitted, narrow_table, print_table

widths = st.integers(0, 30)
columns = st.lists(st.tuples(widths, widths).map(sorted), min_size=1, max_size=8)


def printed(width: int, *rows: tuple[str, ...]) -> list[str]:
    table = narrow_table("name", "figure", "reason", title="", wraps={"name", "reason"})
    for row in rows:
        table.add_row(*row)
    console = Console(width=width, markup=False, highlight=False)
    with console.capture() as captured:
        print_table(console, table)
    return captured.get().splitlines()


def test_a_table_that_fits_is_as_wide_as_its_texts() -> None:
    lines = printed(80, ("int8-dynamic", "3.27 ms\n2.89 to 3.79", "none"))
    assert [line.rstrip() for line in lines[-2:]] == ["int8-dynamic  3.27 ms       none", "              2.89 to 3.79"]


def test_a_table_that_does_not_fit_wraps_between_words() -> None:
    lines = printed(40, ("int8-weight-only on cpu", "3.27 ms", "inconclusive; more than the limit"))
    assert max(map(len, lines)) <= 40
    assert {"int8-weight-only", "inconclusive;", "3.27"} <= set(" ".join(lines).split())


def test_a_table_is_wider_than_the_console_rather_than_break_a_word() -> None:
    lines = printed(30, ("w" * 50, "3.27 ms", "r" * 20))
    assert any("w" * 50 in line for line in lines) and any("r" * 20 in line for line in lines)


def test_a_word_beyond_all_bounds_is_broken_rather_than_cut() -> None:
    lines = printed(30, ("w" * 150, "3.27 ms", "r" * 20))
    assert max(map(len, lines)) <= 120
    assert "".join(lines).count("w") == 150 and "".join(lines).count("r") >= 20


@given(columns, st.integers(0, 200))
@example([[0, 1], [0, 1]], 2)  # a full column has the greatest need still, and must not take the room of the other
def test_widths_lie_between_their_ends_and_fill_the_room(ends: list[list[int]], room: int) -> None:
    least, full = [low for low, _ in ends], [high for _, high in ends]
    found = fitted(least, full, room)
    if sum(least) > room:
        assert found == [None] * len(ends)
        return
    known = [width for width in found if width is not None]
    assert all(low <= width <= high for low, width, high in zip(least, known, full, strict=True))
    assert sum(known) == min(room, sum(full))
