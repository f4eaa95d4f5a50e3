"""A picture's SVG as part of a page: its ids are its own, and its ink and paper are those of the page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from .canvas import INK, PAPER, RULE

if TYPE_CHECKING:
    from .pictures import Picture

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_LEFT_OUT = (f"{_SVG}metadata", f"{_SVG}style")  # a style would hold for the whole page
_PAGE = {INK: "var(--ink)", PAPER: "var(--paper)", RULE: "var(--rule)"}
_COLOUR = re.compile("|".join(_PAGE))


@dataclass(frozen=True)
class Drawn:
    """A picture with its markup."""

    picture: Picture
    svg: str


def embedded(pictures: Iterable[Picture | None], folder: Path) -> list[Drawn]:
    """Those pictures of a folder that there are."""
    return [Drawn(each, inline_svg(each.files(folder)[0], f"{each.title}. {each.text}")) for each in pictures if each]


def inline_svg(file: Path, title: str) -> str:
    """The markup of an SVG file that matplotlib wrote, to stand once in a page; `title` names it to a screen reader."""
    root = ElementTree.parse(file).getroot()
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in _LEFT_OUT:
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.attrib = dict(_own(name, value, file.stem) for name, value in element.attrib.items())
    view = root.get("viewBox", "")
    root.attrib = {"viewBox": view, "role": "img", "aria-label": title, "style": f"max-width:{view.split()[2]}pt"}
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _own(name: str, value: str, prefix: str) -> tuple[str, str]:
    """An attribute as it stands in the page."""
    if name == "id":
        return name, f"{prefix}-{value}"
    if name == _HREF:
        return "href", value.replace("#", f"#{prefix}-")
    if name in ("style", "clip-path"):
        return name, _COLOUR.sub(lambda found: _PAGE[found[0]], value).replace("url(#", f"url(#{prefix}-")
    return name, value
