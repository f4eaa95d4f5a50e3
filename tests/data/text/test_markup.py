"""HTML as a page shows it, and its characters as annotation tools count them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener.data.text.markup import page_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Mira left.</p>", "Mira left."),
        ("<p>One</p><p>two</p>", "One\ntwo"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<ul><li>a</li>\n<li>b</li></ul>", "a\nb"),
        ("<p>a <b>b</b><i>c</i> &lt;d&gt; &#252;</p>", "a bc <d> ü"),
        ("<style>p {}</style><p>a</p><script>b()</script>", "a"),
        ("no markup", "no markup"),
        ("<p>open <b>to the end", "open to the end"),
    ],
)
def test_a_page_becomes_the_text_that_it_shows(html: str, text: str) -> None:
    assert page_text(html).text == text


@given(
    html=st.text(st.sampled_from("ab <>/p&;br!-\n\"'="), max_size=40),
    start=st.integers(-2, 20),
    size=st.integers(-1, 9),
)
def test_any_markup_has_a_text_and_a_place_for_each_of_its_characters(html: str, start: int, size: int) -> None:
    page = page_text(html)
    assert list(page.places) == sorted(set(page.places)) and all(0 <= at < len(page.text) for at in page.places)
    found = page.range_of(start, start + size)
    assert found is None or 0 <= found[0] < found[1] <= len(page.text)
