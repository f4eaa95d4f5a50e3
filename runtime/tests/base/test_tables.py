"""Tables of text as Markdown and as HTML."""

from __future__ import annotations

import pytest

from edgener_runtime.base.tables import Html, html_table, literal, markdown_table


def test_a_table_has_a_line_per_row_and_a_rule_below_its_columns() -> None:
    assert markdown_table(("a", "b"), [("1", "2"), ("3", "4")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n"


def test_a_bar_and_a_line_break_stay_in_their_cell() -> None:
    assert markdown_table(("a",), [("x | y\nz",)]).splitlines()[-1] == "| x \\| y<br>z |"


def test_a_literal_text_has_no_markup_and_one_line() -> None:
    assert literal("<b> & \\|\n") == "&lt;b&gt; &amp; \\\\|<br>"
    assert markdown_table(("a",), [(literal("\\|"),)]).splitlines()[-1] == "| \\\\\\| |"


def test_an_html_table_escapes_texts_and_keeps_markup() -> None:
    table = html_table("<i>", ("a", "b"), [("<b>", Html("<b>x</b>"))])
    assert "<i>" not in table and "<th scope=row><bdi>&lt;b&gt;</bdi></th><td><b>x</b></td>" in table
    assert 'type="checkbox"' not in table


def test_the_columns_behind_the_switch_are_marked_in_every_row() -> None:
    table = html_table("t", ("a", "b", "c"), [("1", "2", "3"), ("4", "5", "6")], more=("b",))
    assert table.count('type="checkbox"') == 1
    assert table.count("class=more") == 3 and "<td class=more><bdi>5</bdi></td>" in table


def test_a_row_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        html_table("t", ("a", "b"), [("1",)])
