"""Text that no installed font can draw: a picture of pixels has numbers for it and a key beside it.

A vector picture keeps the text, as its reader's fonts draw it; it is laid out with letters as wide as Han characters.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

# matplotlib's own font has no Han, kana or hangul; the first of these that is installed replaces it for them
_WIDE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC",
    "Yu Gothic", "Malgun Gothic", "Apple SD Gothic Neo",
)  # fmt: skip
_AS_WIDE = "m"
Shown = Callable[[str], str]


def families() -> tuple[str, ...]:
    """The fonts of a picture, each for what those before it do not have."""
    return _installed(_WIDE_FONTS)


@cache
def _installed(wide: Sequence[str]) -> tuple[str, ...]:
    from matplotlib import font_manager

    names = font_manager.get_font_names()
    return ("DejaVu Sans", *(font for font in wide if font in names))


class TextKey:
    """Numbers for pieces of text, in the order of their first appearance."""

    def __init__(self) -> None:
        self.pieces: dict[str, int] = {}

    def numbered(self, text: str) -> str:
        """A text with a number, such as [1], for each piece that no font can draw."""
        return "".join(self._number(piece) if absent else piece for absent, piece in _pieces(text))

    def _number(self, piece: str) -> str:
        return f"[{self.pieces.setdefault(piece, len(self.pieces) + 1)}]"

    def lines(self) -> str:
        """A line for each number with its piece of text."""
        return "".join(f"[{number}]\t{piece}\n" for piece, number in self.pieces.items())


def as_wide(text: str) -> str:
    """A text of letters that take as much room as the characters that no font can draw."""
    return "".join(_AS_WIDE * len(piece) if absent else piece for absent, piece in _pieces(text))


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Pieces of a text, and whether no font can draw them."""
    drawable = _drawable(families())
    for absent, piece in groupby(text, lambda character: not (character.isspace() or ord(character) in drawable)):
        yield absent, "".join(piece)


@cache
def _drawable(names: Sequence[str]) -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset().union(*(get_font(findfont(FontProperties(family=name))).get_charmap() for name in names))


def show(figure: Any, shown: Shown) -> None:
    """Let a figure measure and draw `shown(text)` in place of each text."""
    _canvas_class()(figure).shown = shown


@cache
def _canvas_class() -> Any:
    """A canvas of pixels that shows another text; a function, as matplotlib is imported where a picture is drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg

    class ShownRenderer(RendererAgg):  # type: ignore[misc]
        shown: Shown

        def draw_text(self, gc: Any, x: float, y: float, s: str, *args: Any, **named: Any) -> None:
            super().draw_text(gc, x, y, self.shown(s), *args, **named)

        def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:
            return super().get_text_width_height_descent(self.shown(s), prop, ismath)

    class ShownCanvas(FigureCanvasAgg):  # type: ignore[misc]
        shown: Shown
        _shown_renderer: Any = None

        def get_renderer(self) -> Any:
            if self._shown_renderer is None:
                self._shown_renderer = ShownRenderer(*self.figure.bbox.size, self.figure.dpi)
                self._shown_renderer.shown = self.shown
            return self._shown_renderer

    return ShownCanvas


def save_picture(figure: Any, file: Path, metadata: dict[str, str | None]) -> None:
    """Save a figure of `show(figure, as_wide)`; beside a PNG that needs one, its key."""
    key = TextKey()
    with _fixed_layout(figure) if file.suffix == ".svg" else _numbered(figure, key, file):
        figure.savefig(file, metadata=metadata)
    if key.pieces:
        key_of(file).write_text(key.lines(), encoding="utf-8")
    elif file.suffix == ".png":
        key_of(file).unlink(missing_ok=True)


def key_of(picture: Path) -> Path:
    """The file with the key of a picture, where it needs one."""
    return picture.with_suffix(".key.txt")


@contextmanager
def _fixed_layout(figure: Any) -> Iterator[None]:
    """Within the context, the layout is that for letters as wide as the text, which the reader's fonts draw."""
    layout = figure.get_layout_engine()
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield
    figure.set_layout_engine(layout)


@contextmanager
def _numbered(figure: Any, key: TextKey, file: Path) -> Iterator[None]:
    """Within the context, the figure has numbers for what no font can draw, and a line that names its key."""
    canvas = figure.canvas
    show(figure, key.numbered)
    figure.draw_without_rendering()
    note = figure.suptitle(f"key: {key_of(file).name}", size=7) if key.pieces else None
    yield
    if note:
        note.remove()
    figure.set_canvas(canvas)
