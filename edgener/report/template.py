"""Pages of the build side: a template for the body, and the skeleton and style that the runtime's pages have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgener_runtime.base.tables import COLUMN_SWITCH, Html
from edgener_runtime.commissioning.selftest.page import document
from edgener_runtime.text.tokenize import without_surrogates

from .tables import TextTable

_PAGE = Path(__file__).parent / "page"


def render(title: str, template: str, values: Mapping[str, Any], script: str | None = None) -> str:
    """A page from a template beside this file; nothing runs on it but its script, a file there as well."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(show=TextTable.html, column_switch=COLUMN_SWITCH)
    body = environment.get_template(template).render(values)
    page = document(title, Html(body), style=_read("report.css"), script=_read(script) if script else "")
    return without_surrogates(page)


def _read(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")
