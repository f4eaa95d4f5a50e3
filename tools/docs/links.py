"""Links between pages: written for the repository, where they work on every code host, and translated for the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS, OUTSIDE, FRONT_PAGE = "docs/", "repository/", "README.md"
_LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)\s]*)?(\))")
_LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(https?://[^\"'\s>]+)")
_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)


def repository_path(site: str) -> str:
    """Where the source of a page of the site lies in the repository."""
    if site == "index.md":
        return FRONT_PAGE
    return site.removeprefix(OUTSIDE) if site.startswith(OUTSIDE) else DOCS + site


def site_path(source: str) -> str:
    """Where a file of the repository lies in the site."""
    if source == FRONT_PAGE:
        return "index.md"
    return source.removeprefix(DOCS) if source.startswith(DOCS) else OUTSIDE + source


def linked_files(source: str, markdown: str | None = None) -> Iterator[str]:
    """The repository's files that a page links to."""
    text = (ROOT / source).read_text(encoding="utf-8") if markdown is None else markdown
    for part in _CODE.split(text):
        if not part.startswith("`"):
            yield from (_target(source, match[2]) for match in _LINK.finditer(part))


def loaded_from_elsewhere(html: str) -> list[str]:
    """What a page would load from other servers; links to follow are not loaded."""
    return _LOADED.findall(html)


def translated(markdown: str, site: str) -> str:
    """A page with links that work in the site."""
    source, folder = repository_path(site), posixpath.dirname(site)

    def link(match: re.Match[str]) -> str:
        target = posixpath.relpath(site_path(_target(source, match[2])), folder or ".")
        return f"{match[1]}{target}{match[3] or ''}{match[4]}"

    return "".join(part if part.startswith("`") else _LINK.sub(link, part) for part in _CODE.split(markdown))


def _target(source: str, link: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
