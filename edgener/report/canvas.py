"""Figures that need no display, saved such that the same input gives the same bytes, and their colours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .glyphs import as_wide, families, save_picture, show

# Okabe and Ito (2008), Color Universal Design: distinguishable with any colour vision
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
INK, PAPER, RULE = "#1c1c22", "#ffffff", "#c8c8d0"  # a page in dark colours replaces them
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "edgener",
    "text.parse_math": False,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}
_METADATA: dict[str, dict[str, str | None]] = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
_LONGEST = 28
_NO_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")


@contextmanager
def figure(width: float, height: float, *files: Path) -> Iterator[Any]:
    """A figure in inches, saved at the end into files of their kinds (.svg, .png)."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.family": families(), **_STYLE}):
        drawn = Figure(figsize=(width, height), dpi=120, layout="constrained")
        show(drawn, as_wide)
        yield drawn
        for file in files:
            save_picture(drawn, file, _METADATA[file.suffix])


def xml_text(text: str) -> str:
    """A text in which every character that XML does not have is replaced."""
    return _NO_XML.sub("\ufffd", text)


def label_text(label: str) -> str:
    """A label for a picture: at most 28 characters, all of which XML has."""
    clean = xml_text(label)
    return clean if len(clean) <= _LONGEST else f"{clean[: _LONGEST // 2]}…{clean[-_LONGEST // 2 + 1 :]}"


def logarithmic(axes: Any, *names: str) -> None:
    """Make the axes named `x` or `y` logarithmic, with plain numbers at 1, 2 and 5 of each decade."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    for name in names:
        getattr(axes, f"set_{name}scale")("log")
        axis = getattr(axes, f"{name}axis")
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())


def looks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each name."""
    return {name: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, name in enumerate(names)}
