"""A bundle is whole or it is not loaded: every file is listed, of its size, and of its SHA-256."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from edgener_runtime.base.files import sha256_of
from edgener_runtime.errors import BundleError

from .manifest import MANIFEST, FileEntry, Manifest, read_manifest

_AT_ONCE = 2  # files that are read and hashed at the same time: more only make a slow disk seek


def file_entry(folder: Path, path: Path) -> FileEntry:
    """The manifest's line for a file below `folder`."""
    return FileEntry(path.relative_to(folder).as_posix(), sha256_of(path), path.stat().st_size)


def verify_bundle(bundle: Path) -> Manifest:
    """The manifest of a bundle whose every file is there and unchanged, with none beside them.

    Raises BundleError naming the first file that is missing, changed or not listed.
    """
    with Verifying(bundle) as verifying:
        verifying.finish()
    return verifying.manifest


class Verifying:
    """A bundle whose files are hashed beside what is done meanwhile, as a context manager.

    Raises BundleError at once where a file is missing, of another size, or not listed.
    """

    def __init__(self, bundle: Path) -> None:
        self.manifest = _listed(bundle)
        self._pool = ThreadPoolExecutor(_AT_ONCE, "edgener-verify")
        self._begun = {entry: self._pool.submit(_verify, bundle, entry) for entry in _entries(self.manifest)}

    def __enter__(self) -> Verifying:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def require(self, *paths: str) -> None:
        """Wait for files of the bundle, by their paths in the manifest. Raises BundleError where one was changed."""
        for entry, hashed in self._begun.items():
            if entry.path in paths:
                hashed.result()

    def finish(self) -> None:
        """Wait for all of them. Raises BundleError naming the first that was changed."""
        for hashed in self._begun.values():
            hashed.result()


def _entries(manifest: Manifest) -> list[FileEntry]:
    """Every file but the manifest, what is likely to be needed first in front."""
    return [*manifest.files, *(variant.file for variant in manifest.variants)]


def _listed(bundle: Path) -> Manifest:
    """The manifest of a bundle that has the files it lists, of their sizes, and no others."""
    manifest = read_manifest(bundle)
    entries = _entries(manifest)
    for entry in entries:
        _find(bundle, entry)
    listed = {MANIFEST, *(entry.path for entry in entries)}
    for path in sorted(bundle.rglob("*")):
        name = path.relative_to(bundle).as_posix()
        if not path.is_dir() and name not in listed:
            raise BundleError(f"{path} is not listed in {MANIFEST}", "Remove it, or copy the bundle again.")
    if manifest.tokenizer.file not in listed:
        raise BundleError(f"{bundle / MANIFEST} lists no tokenizer", "Export the bundle again.")
    return manifest


def _find(bundle: Path, entry: FileEntry) -> None:
    relative = PurePosixPath(entry.path)
    if relative.is_absolute() or ".." in relative.parts:
        raise BundleError(f"{bundle / MANIFEST} names a file outside the bundle: {entry.path}")
    path = bundle / entry.path
    with _reading(path):
        if not path.is_file():
            raise BundleError(f"{path} is missing", "Copy the bundle again.")
        size = path.stat().st_size
    if size != entry.size:
        raise BundleError(f"{path} has {size} bytes, expected {entry.size}", "Copy the bundle again.")


def _verify(bundle: Path, entry: FileEntry) -> None:
    path = bundle / entry.path
    with _reading(path):
        found = sha256_of(path)
    if found != entry.sha256:
        raise BundleError(f"{path} was changed: SHA-256 {found[:12]}, expected {entry.sha256[:12]}", "Copy it again.")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}", "Check its permissions and the disk.") from None
