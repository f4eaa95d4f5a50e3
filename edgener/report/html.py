"""Pages of the build side: a template and pictures, in the skeleton and style of the runtime's pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from edgener_runtime.base.tables import COLUMN_SWITCH, Html
from edgener_runtime.commissioning.selftest.page import document
from edgener_runtime.text.tokenize import without_surrogates

from .canvas import INK, PAPER, RULE
from .tables import TextTable

if TYPE_CHECKING:
    from .pictures import Picture

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_LEFT_OUT = (f"{_SVG}metadata", f"{_SVG}style")  # a style would hold for the whole page
_PAGE = {INK: "var(--ink)", PAPER: "var(--paper)", RULE: "var(--rule)"}
_COLOUR = re.compile("|".join(_PAGE))


_TEMPLATES = Path(__file__).parent / "page"


def render(title: str, template: str, values: Mapping[str, Any], script: str | None = None) -> str:
    """A page from a template beside this file; nothing runs on it but its script, a file there as well."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(show=TextTable.html, column_switch=COLUMN_SWITCH)
    body = environment.get_template(template).render(values)
    page = document(title, Html(body), style=_read("report.css"), script=_read(script) if script else "")
    return without_surrogates(page)


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class DrawnPicture:
    """A picture with its markup."""

    picture: Picture
    svg: Html


def embedded(pictures: Iterable[Picture | None], folder: Path) -> list[DrawnPicture]:
    """The pictures of a folder, without those that were not drawn."""
    return [
        DrawnPicture(each, inline_svg(each.files(folder)[0], f"{each.title}. {each.text}")) for each in pictures if each
    ]


def inline_svg(file: Path, title: str) -> Html:
    """The markup of an SVG file of matplotlib, once in a page; `title` names it for a screen reader."""
    root = ElementTree.parse(file).getroot()  # noqa: S314 - matplotlib has just written it
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in _LEFT_OUT:
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.attrib = dict(_own(name, value, file.stem) for name, value in element.attrib.items())
    view = root.get("viewBox", "")
    root.attrib = {"viewBox": view, "role": "img", "aria-label": title, "style": f"max-width:{view.split()[2]}pt"}
    return Html(ElementTree.tostring(root, encoding="unicode", short_empty_elements=False))


def _own(name: str, value: str, prefix: str) -> tuple[str, str]:
    """An attribute as the page has it."""
    if name == "id":
        return name, f"{prefix}-{value}"
    if name == _HREF:
        return "href", value.replace("#", f"#{prefix}-")
    if name in ("style", "clip-path"):
        return name, _COLOUR.sub(lambda found: _PAGE[found[0]], value).replace("url(#", f"url(#{prefix}-")
    return name, value
