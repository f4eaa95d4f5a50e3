"""What the sources import and define, read from their text; tests/test_house.py holds the rules for it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "edgener": ROOT / "edgener",
    "edgener_exporters": ROOT / "exporters" / "edgener_exporters",
    "edgener_runtime": ROOT / "runtime" / "edgener_runtime",
}
Imports = Mapping[str, set[str]]
"""Each module with the modules of ours that it imports anywhere, in functions and for types too."""


def modules() -> dict[str, Path]:
    """Every module of the three packages by its dotted name; a package is its `__init__`."""
    return {_dotted(package, file): file for package in PACKAGES for file in sorted(PACKAGES[package].rglob("*.py"))}


def _dotted(package: str, file: Path) -> str:
    parts = file.relative_to(PACKAGES[package]).with_suffix("").parts
    return ".".join((package, *parts)).removesuffix(".__init__")


def imports() -> dict[str, set[str]]:
    """The imports of every module as it stands."""
    found = modules()
    return {
        name: imported_by(name, file.read_text(encoding="utf-8"), found, file.name == "__init__.py")
        for name, file in found.items()
    }


def imported_by(module: str, source: str, known: Iterable[str], is_package: bool = False) -> set[str]:
    """The known modules that a module of this source imports; a name taken from a package counts as the package."""
    names = set(known)
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module, node, is_package)
            full = {f"{origin}.{alias.name}" for alias in node.names}
            found |= (full & names) or {origin}
            found |= {origin} if full - names else set()
    return (found & names) - {module}


def _origin(module: str, node: ast.ImportFrom, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parents = module.split(".") if is_package else module.split(".")[:-1]
    base = parents[: len(parents) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def module_cycle(graph: Imports) -> list[str]:
    """Modules that import each other in a ring, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


def folder_cycles(graph: Imports) -> list[list[str]]:
    """Rings among the files and folders of one folder, a folder importing what any file below it imports."""
    folders = {name.rpartition(".")[0] for name in graph} - {""}
    return [ring for folder in sorted(folders) if (ring := module_cycle(_children(folder, graph)))]


def _children(folder: str, graph: Imports) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, targets in graph.items():
        child = _child(folder, name)
        if child:
            others = {_child(folder, target) for target in targets} - {None, child}
            found.setdefault(child, set()).update(other for other in others if other)
    return found


def _child(folder: str, name: str) -> str | None:
    return f"{folder}.{name[len(folder) + 1 :].split('.')[0]}" if name.startswith(f"{folder}.") else None


def crowded(names: Iterable[str], most: int) -> dict[str, int]:
    """Folders with more than `most` modules, `__init__` counted."""
    known = set(names)
    packages = {name.rpartition(".")[0] for name in known} - {""}
    counts = Counter(name if name in packages else name.rpartition(".")[0] for name in known)
    return {folder: count for folder, count in counts.items() if count > most}


def class_names(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """Public and private classes at the top of modules, each with the modules that define one of the name."""
    found: dict[str, list[str]] = {}
    for module, source in sources.items():
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(module)
    return found


def function_lengths(source: str) -> Iterator[int]:
    """Lines of each function and method."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.end_lineno - node.lineno + 1
