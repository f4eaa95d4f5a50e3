"""Small files of /proc, /sys and the device tree, any of which may be absent."""

from __future__ import annotations

from pathlib import Path

HERE = Path("/")


def read_text(file: Path) -> str:
    """A file's text without surrounding NULs and blanks; empty where it cannot be read, as for a sensor that is off."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip("\0 \t\n")
    except OSError:
        return ""


def read_number(file: Path) -> int | None:
    """The whole number in a file, or None."""
    try:
        return int(read_text(file))
    except ValueError:
        return None


def listed(folder: Path, pattern: str) -> list[Path]:
    """The paths in a folder that match a pattern, sorted; none where it cannot be read or the pattern is invalid."""
    try:
        return sorted(folder.glob(pattern))
    except (OSError, ValueError, NotImplementedError):
        return []


def is_here(root: Path) -> bool:
    """Whether `root` is this machine's root, and not a copy of another machine's files."""
    return root.resolve() == HERE.resolve()  # a drive of its own on Windows
