"""A bundle is whole or it is not loaded: every file is listed, of its size, and of its SHA-256."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from .errors import BundleError
from .files import sha256_of
from .manifest import MANIFEST, FileEntry, Manifest, read_manifest


def file_entry(folder: Path, path: Path) -> FileEntry:
    """The manifest's line for a file below `folder`."""
    return FileEntry(path.relative_to(folder).as_posix(), sha256_of(path), path.stat().st_size)


def verify_bundle(bundle: Path) -> Manifest:
    """The manifest of a bundle whose every file is there and unchanged, with none beside them.

    Raises BundleError naming the first file that is missing, changed or not listed.
    """
    manifest = read_manifest(bundle)
    entries = [*manifest.files, *(variant.file for variant in manifest.variants)]
    for entry in entries:
        _verify(bundle, entry)
    listed = {MANIFEST, *(entry.path for entry in entries)}
    for path in sorted(bundle.rglob("*")):
        name = path.relative_to(bundle).as_posix()
        if not path.is_dir() and name not in listed:
            raise BundleError(f"{path} is not listed in {MANIFEST}", "Remove it, or copy the bundle again.")
    if manifest.tokenizer.file not in listed:
        raise BundleError(f"{bundle / MANIFEST} lists no tokenizer", "Export the bundle again.")
    return manifest


def _verify(bundle: Path, entry: FileEntry) -> None:
    relative = PurePosixPath(entry.path)
    if relative.is_absolute() or ".." in relative.parts:
        raise BundleError(f"{bundle / MANIFEST} names a file outside the bundle: {entry.path}")
    path = bundle / entry.path
    try:
        if not path.is_file():
            raise BundleError(f"{path} is missing", "Copy the bundle again.")
        found = file_entry(bundle, path)
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}", "Check its permissions and the disk.") from None
    if found.size != entry.size:
        raise BundleError(f"{path} has {found.size} bytes, expected {entry.size}", "Copy the bundle again.")
    if found.sha256 != entry.sha256:
        raise BundleError(
            f"{path} was changed: SHA-256 {found.sha256[:12]}, expected {entry.sha256[:12]}", "Copy it again."
        )
