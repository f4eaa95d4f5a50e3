"""Tables of text as Markdown."""

from __future__ import annotations

from edgener_runtime.base.tables import literal, markdown_table


def test_a_table_has_a_line_per_row_and_a_rule_below_its_columns() -> None:
    assert markdown_table(("a", "b"), [("1", "2"), ("3", "4")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n"


def test_a_bar_and_a_line_break_stay_in_their_cell() -> None:
    assert markdown_table(("a",), [("x | y\nz",)]).splitlines()[-1] == "| x \\| y<br>z |"


def test_a_literal_text_has_no_markup_and_one_line() -> None:
    assert literal("<b> & \\|\n") == "&lt;b&gt; &amp; \\\\|<br>"
    assert markdown_table(("a",), [(literal("\\|"),)]).splitlines()[-1] == "| \\\\\\| |"
