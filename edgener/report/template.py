"""Pages that need no network: a template with the one style, and at most one script, which the page's policy knows."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PAGE = Path(__file__).parent / "page"


def render(template: str, values: Mapping[str, Any], script: str | None = None) -> str:
    """A page; its policy lets nothing run but its script (a file beside the template), and nothing be loaded."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    code, style = (_read(script) if script else ""), _read("report.css")
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() if script else ""
    return environment.get_template(template).render(values, script=code, style=style, digest=digest)


def _read(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")
