"""MkDocs hooks: the README as first page, the command reference, and pages of the repository outside docs/."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from commands import command_page
from links import (
    DOCS,
    FRONT_PAGE,
    ROOT,
    linked_files,
    loaded_from_elsewhere,
    repository_path,
    site_path,
    translated,
)
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.structure.files import Files


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages, and every file outside docs/ that a page links to, directly or through another."""
    for name, content in _command_pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    sources = [FRONT_PAGE, *(repository_path(file.src_uri) for file in files.documentation_pages())]
    known = {f"{DOCS}{file.src_uri}" for file in files}
    while sources:
        source = sources.pop()
        if source not in known:
            known.add(source)
            files.append(File.generated(config, site_path(source), abs_src_path=str(ROOT / source)))
        if source.endswith(".md") and (ROOT / source).is_file():
            sources.extend(file for file in linked_files(source) if file not in known and (ROOT / file).is_file())
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Translate the links that lead from one page of the repository to another."""
    if page.file.src_uri == "index.md":
        page.meta["hide"] = ["navigation"]
    return translated(markdown, page.file.src_uri)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that loads anything from another server, as a theme's fonts and scripts would be."""
    if found := loaded_from_elsewhere(output):
        raise PluginError(f"{page.file.src_uri} would load {', '.join(found)}")
    return output


def _command_pages() -> dict[str, str]:
    """Of the checkout that is built; importing the commands needs click and nothing else."""
    sys.path[:0] = [str(ROOT / folder) for folder in (".", "exporters", "runtime")]
    from edgener.cli.main import main as build_side
    from edgener_runtime.cli.main import main as runtime

    return {name: command_page(group, name) for name, group in (("edgener", build_side), ("edgener-runtime", runtime))}
