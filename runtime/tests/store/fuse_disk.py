"""A file system for `test_power_cut.py`: `python fuse_disk.py FOLDER MOUNT LOG [CUT]` shows FOLDER at MOUNT.

Each change that the kernel passes on is a line of LOG, with the content of a file after a write. At change number CUT
the power fails: this process ends, and the change is not made.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import mfusepy


class LoggedDisk(mfusepy.Operations):  # type: ignore[misc]
    """Passes everything on to a folder, one request at a time, and logs what changes it."""

    use_ns = True

    def __init__(self, folder: Path, log: Path, cut: int | None) -> None:
        self._folder, self._log, self._cut, self._count = folder, log.open("a", encoding="ascii"), cut, 0

    def _at(self, path: str) -> str:
        return f"{self._folder}{path}"

    def _change(self, kind: str, path: str, data: bytes = b"", other: str | None = None) -> None:
        if self._count == self._cut:
            os._exit(9)
        self._count += 1
        line = {"kind": kind, "path": path[1:], "data": b64encode(data).decode(), "other": other and other[1:]}
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()

    def _written(self, path: str) -> None:
        self._change("write", path, Path(self._at(path)).read_bytes())

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = os.lstat(self._at(path))
        names = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid")
        times = {f"st_{name}": getattr(found, f"st_{name}_ns") for name in ("atime", "mtime", "ctime")}
        return {name: getattr(found, name) for name in names} | times

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._at(path))]

    def readlink(self, path: str) -> str:
        return os.readlink(self._at(path))

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._folder)
        return {name: getattr(found, name) for name in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail")}

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags & ~os.O_TRUNC)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self._change("write", path)
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        done = os.pwrite(fh, data, offset)
        self._written(path)
        return done

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._at(path), length)
        self._written(path)
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._change("sync", path)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._change("sync", path)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        self._change("folder", path)
        os.mkdir(self._at(path), mode)
        return 0

    def symlink(self, target: str, source: str) -> int:
        self._change("link", target, os.fsencode(source))
        os.symlink(source, self._at(target))
        return 0

    def rename(self, old: str, new: str, flags: int = 0) -> int:
        if flags:  # an exchange
            raise mfusepy.FuseOSError(errno.EINVAL)
        self._change("rename", new, other=old)
        os.rename(self._at(old), self._at(new))
        return 0

    def unlink(self, path: str) -> int:
        self._change("remove", path)
        os.unlink(self._at(path))
        return 0

    def rmdir(self, path: str) -> int:
        self._change("remove", path)
        os.rmdir(self._at(path))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._at(path), mode)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._at(path), ns=times)
        return 0


if __name__ == "__main__":
    folder, mount, log, *cut = sys.argv[1:]
    disk = LoggedDisk(Path(folder), Path(log), int(cut[0]) if cut else None)
    mfusepy.FUSE(disk, mount, foreground=True, nothreads=True)
