"""Every change that a store makes to its disk, in one place: tests put faults there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edgener_runtime.base.files import sync

_CHUNK = 1 << 20


class Disk:
    """The file operations of a store. What was done is sure to outlive a power cut only after `sync`.

    A file's content is synced through the file; that a name exists, or stands for something else, through its folder.
    """

    def free(self, folder: Path) -> int:
        """Bytes that this user can still write."""
        return shutil.disk_usage(folder).free

    def make_folder(self, path: Path) -> None:
        """Make a folder; its parent exists."""
        path.mkdir(exist_ok=True)

    def write(self, path: Path, data: bytes) -> None:
        """Write a file, new or in place of its content."""
        path.write_bytes(data)

    def copy(self, source: Path, target: Path) -> None:
        """Write the content of a file into a new one, in parts."""
        with source.open("rb") as file, target.open("xb") as copied:
            shutil.copyfileobj(file, copied, _CHUNK)

    def sync(self, path: Path) -> None:
        """Wait until a file's content, or a folder's names, are on the disk."""
        sync(path)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file, link or folder another name, in place of a file or link there: at once, or not at all."""
        source.replace(target)

    def link(self, target: str, path: Path) -> None:
        """Make a symbolic link; nothing is at `path`."""
        os.symlink(target, path)  # noqa: PTH211 - Path.symlink_to has the order reversed

    def remove(self, path: Path) -> None:
        """Remove a file, a link or a folder with all that it has; nothing may be there."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
