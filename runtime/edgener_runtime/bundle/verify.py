"""Verification of a bundle: every file is listed, and has the size and the SHA-256 of the manifest."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from edgener_runtime.base.files import sha256_of
from edgener_runtime.errors import BundleError

from .manifest import MANIFEST, FileEntry, Manifest, read_manifest

_AT_ONCE = 2  # files that are hashed at the same time; more only make a slow disk seek


def file_entry(folder: Path, path: Path) -> FileEntry:
    """The manifest's line for a file below `folder`."""
    return FileEntry(path.relative_to(folder).as_posix(), sha256_of(path), path.stat().st_size)


def verify_bundle(bundle: Path) -> Manifest:
    """The manifest of a bundle, every file of which is there and unchanged, with no other files.

    Raises BundleError naming the first file that is missing, changed or not listed.
    """
    with Verification(bundle) as verification:
        verification.wait()
    return verification.manifest


class Verification:
    """Hashing of a bundle's files in the background, as a context manager.

    Raises BundleError at once where a file is missing, of another size, or not listed.
    """

    def __init__(self, bundle: Path) -> None:
        self.manifest = _listed(bundle)
        self._pool = ThreadPoolExecutor(_AT_ONCE, "edgener-verify")
        self._pending = {entry: self._pool.submit(_verify, bundle, entry) for entry in _entries(self.manifest)}

    def __enter__(self) -> Verification:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def require(self, *paths: str) -> None:
        """Wait for files of the bundle, by their paths in the manifest. Raises BundleError where one was changed."""
        for entry, hashed in self._pending.items():
            if entry.path in paths:
                hashed.result()

    def wait(self) -> None:
        """Wait for all files. Raises BundleError naming the first that was changed."""
        for hashed in self._pending.values():
            hashed.result()


def _entries(manifest: Manifest) -> list[FileEntry]:
    """Every file but the manifest, in the order in which they are needed."""
    return [*manifest.files, *(variant.file for variant in manifest.variants)]


def _listed(bundle: Path) -> Manifest:
    """The manifest of a bundle that has exactly the listed files, with the listed sizes."""
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
