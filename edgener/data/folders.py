"""The splits of a folder: files and folders by their names, also as the Hugging Face Hub names them."""

from __future__ import annotations

import re
from pathlib import Path

from edgener.data.readers.arrow import is_saved_folder
from edgener.data.readers.brat import is_brat
from edgener_runtime.errors import UserInputError

WHOLE = "all"
_NAMES = {"train": ("train",), "valid": ("valid", "validation", "dev", "val"), "test": ("test",)}
_PART = re.compile(r"(\w+)-\d+-of-\d+(?:-[0-9a-f]+)?")


def split_paths(folder: Path) -> dict[str, list[Path]]:
    """The files or folders of each split, or of `all` where the folder itself is one data set.

    Raises UserInputError where it holds none, and where a split has several.
    """
    if is_saved_folder(folder) or is_brat(folder):
        return {WHOLE: [folder]}
    inside = _inside(folder)
    found = {split: _choose(folder, split, inside, names) for split, names in _NAMES.items()}
    found = {split: paths for split, paths in found.items() if paths}
    if not found and (folder / "data").is_dir():
        return split_paths(folder / "data")
    if not found:
        raise UserInputError(f"{folder} holds no data: expected files named train, valid or test", "Or name one file.")
    return found


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file() or is_saved_folder(path) or is_brat(path))
    except OSError as error:
        raise UserInputError(f"cannot read {folder}: {error.strerror}", "Check its permissions.") from None


def _choose(folder: Path, split: str, inside: list[Path], names: tuple[str, ...]) -> list[Path]:
    """The one path of a split, or all parts of it."""
    parts = [path for path in inside if (part := _PART.fullmatch(path.stem)) and part[1] in names]
    paths = [path for path in inside if path.stem in names]
    if len(paths) > 1 or (paths and parts):
        raise UserInputError(
            f"{folder} has several files for {split}: {', '.join(path.name for path in paths + parts)}",
            "Leave one of them.",
        )
    return paths or parts
