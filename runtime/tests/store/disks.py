"""Disks with faults for the store: each makes the changes, and fails, ends or forgets at a chosen one."""

from __future__ import annotations

import errno
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgener_runtime.base.files import sha256_of
from edgener_runtime.bundle.manifest import Manifest, read_manifest
from edgener_runtime.bundle.store.disk import Disk
from edgener_runtime.errors import BundleError


def verify_hashes(folder: Path) -> Manifest:
    """The part of verify_bundle that finds damage of a disk: it is quick."""
    manifest = read_manifest(folder)
    entries = manifest.entries
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for entry in entries:
        path = folder / entry.path
        if not path.is_file() or path.stat().st_size != entry.size or sha256_of(path) != entry.sha256:
            raise BundleError(f"{path} is damaged")
    if found != {"manifest.json", *(entry.path for entry in entries)}:
        raise BundleError(f"{folder} has other files than its manifest")
    return manifest


class FastDisk(Disk):
    """A disk that never waits: what a killed process wrote is there all the same."""

    def sync(self, path: Path) -> None:
        assert path.exists()


class WatchedDisk(Disk):
    """Calls `before` ahead of each change, with its number from 0; a write is two, its halves."""

    def __init__(self, before: Callable[[int], None]) -> None:
        self.before = before
        self.count = 0

    def _step(self) -> None:
        self.before(self.count)
        self.count += 1

    def make_folder(self, path: Path) -> None:
        self._step()
        super().make_folder(path)

    def write(self, path: Path, data: bytes) -> None:
        self._step()
        path.write_bytes(data[: len(data) // 2])
        self._step()
        path.write_bytes(data)

    def copy(self, source: Path, target: Path) -> None:
        assert not target.exists()
        self.write(target, source.read_bytes())

    def sync(self, path: Path) -> None:
        self._step()
        assert path.exists()

    def rename(self, source: Path, target: Path) -> None:
        self._step()
        super().rename(source, target)

    def link(self, target: str, path: Path) -> None:
        self._step()
        super().link(target, path)

    def remove(self, path: Path) -> None:
        if not (path.exists() or path.is_symlink()):
            return
        self._step()
        if path.is_dir() and not path.is_symlink():  # its files first, each a change of its own
            for inner in sorted(path.iterdir()):
                self.remove(inner)
        super().remove(path)


def killing(step: int) -> WatchedDisk:
    """A disk at whose change number `step` the process is killed."""
    return WatchedDisk(lambda count: os.kill(os.getpid(), signal.SIGKILL) if count == step else None)


def failing(step: int, number: int = errno.ENOSPC) -> WatchedDisk:
    """A disk that is full from change number `step` on, or fails with another error number."""

    def fail(count: int) -> None:
        if count >= step:
            raise OSError(number, os.strerror(number))

    return WatchedDisk(fail)


@dataclass(frozen=True)
class Change:
    """A change of the disk, with paths relative to the store."""

    kind: str
    path: PurePosixPath
    data: bytes = b""
    other: PurePosixPath | None = None


class RecordingDisk(Disk):
    """Notes every change below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.changes: list[Change] = []

    def _note(self, kind: str, path: Path, data: bytes = b"", other: Path | None = None) -> None:
        self.changes.append(Change(kind, self._inner(path), data, self._inner(other) if other else None))

    def _inner(self, path: Path) -> PurePosixPath:
        return PurePosixPath(path.relative_to(self.root).as_posix())

    def make_folder(self, path: Path) -> None:
        super().make_folder(path)
        self._note("folder", path)

    def write(self, path: Path, data: bytes) -> None:
        super().write(path, data)
        self._note("write", path, data)

    def copy(self, source: Path, target: Path) -> None:
        super().copy(source, target)
        self._note("write", target, source.read_bytes())

    def sync(self, path: Path) -> None:
        self._note("sync", path)

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        self._note("rename", target, other=source)

    def link(self, target: str, path: Path) -> None:
        super().link(target, path)
        self._note("link", path, target.encode())

    def remove(self, path: Path) -> None:
        if path.exists() or path.is_symlink():
            super().remove(path)
            self._note("remove", path)


Tree = dict[PurePosixPath, "bytes | str | None"]
"""The content of each file, the target of each link, None for each folder."""


def tree_of(root: Path) -> Tree:
    """What is below a folder."""
    found: Tree = {}
    for path in sorted(root.rglob("*")):
        inner = PurePosixPath(path.relative_to(root).as_posix())
        found[inner] = str(path.readlink()) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
    return found


def write_tree(tree: Tree, root: Path) -> None:
    """Make what a tree says below a new folder."""
    root.mkdir(parents=True)
    for inner, content in sorted(tree.items(), key=lambda item: len(item[0].parts)):
        if content is None:
            (root / inner).mkdir()
        elif isinstance(content, str):
            (root / inner).symlink_to(content)
        else:
            (root / inner).write_bytes(content)


def after_power_cut(before: Tree, changes: list[Change], chance: random.Random) -> tuple[Tree, int]:
    """What may be on the disk after a power cut, and how many changes it has lost or torn.

    A name is there for certain once its folder is synced, and a content once its file is; before that each may be lost,
    whatever came later is there, and a content may be cut short or zeros.
    """
    tree, lost, share = dict(before), 0, chance.choice((0.1, 0.5, 0.9))
    for number, change in enumerate(changes):
        synced = {later.path for later in changes[number + 1 :] if later.kind == "sync"}
        content: bytes | str | None = change.data
        if change.kind == "write" and change.path not in synced and chance.random() < share:
            content, lost = _torn(change.data, chance), lost + 1
        if change.path.parent not in synced and chance.random() < share and change.kind != "sync":
            lost += 1
            continue
        is_below = tree.get(change.path.parent, b"") is None or change.path.parent == PurePosixPath()
        if change.kind in ("write", "link", "folder"):
            made = {"link": change.data.decode(errors="replace"), "folder": None}.get(change.kind, content)
            if is_below:
                tree[change.path] = made
        elif change.kind in ("rename", "remove"):
            source = change.other or change.path
            moved = {path: tree[path] for path in tree if path == source or source in path.parents}
            tree = {path: value for path, value in tree.items() if path not in moved}
            if change.other and moved and is_below:
                tree |= {change.path / path.relative_to(source): value for path, value in moved.items()}
    return tree, lost


def _torn(data: bytes, chance: random.Random) -> bytes:
    end = chance.randrange(len(data) + 1)
    return chance.choice((data[:end], data[:end] + bytes(len(data) - end), bytes(len(data)), b""))
