"""The text of an HTML document as a page shows it, with the place of each of its characters."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser

_HIDDEN = {"script", "style", "template", "title"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figcaption", "figure",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre",
    "section", "table", "td", "th", "tr", "ul",
}  # fmt: skip


@dataclass(frozen=True)
class PageText:
    """The text of a page, and where in it each character of the document's own text stands.

    The document's own text, which annotation tools count, has nothing between two paragraphs; `text` has a line end.
    """

    text: str
    places: tuple[int, ...]

    def range_of(self, start: int, end: int) -> tuple[int, int] | None:
        """A range of the document's text in `text`, or None for one that is outside of it."""
        if not 0 <= start < end <= len(self.places):
            return None
        return self.places[start], self.places[end - 1] + 1


class _Collector(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.places: list[int] = []
        self.hidden = 0
        self.ended = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in _HIDDEN
        self.ended |= tag in _BLOCKS

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in _HIDDEN and self.hidden > 0
        self.ended |= tag in _BLOCKS

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            if self.ended and data.strip() and self.text and not self.text[-1].isspace():
                self.text += "\n"
            self.ended = False
            self.places += range(len(self.text), len(self.text) + len(data))
            self.text += data


def page_text(html: str) -> PageText:
    """The text of an HTML document or of a part of one."""
    collector = _Collector()
    collector.feed(html)
    collector.close()
    return PageText(collector.text, tuple(collector.places))
