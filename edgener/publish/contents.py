"""A bundle as a release: which of its files every device needs, and which only some variants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from edgener_runtime.base.files import sha256_of
from edgener_runtime.bundle.manifest import MANIFEST, Manifest
from edgener_runtime.updates.release import PublishedFile, Release

Slim = Callable[[Path, str, Path], object]
"""Writes the smallest complete bundle of a variant to a folder: (bundle, variant, folder)."""
Keep = Callable[[Path, PublishedFile], object]
"""Takes a file of a release into the repository."""


def release_of(bundle: Path, manifest: Manifest, slim: Slim, keep: Keep) -> Release:
    """The release of a verified bundle, whose files go to `keep`: for each variant those that `slim` leaves."""
    version = sha256_of(bundle / MANIFEST)[:16]
    files = {entry.name: _slim_files(bundle, entry.name, slim, keep) for entry in manifest.variants}
    common = set.intersection(*map(set, files.values()))
    return Release(
        version,
        manifest.name,
        tuple(sorted(common, key=lambda file: file.path)),
        {name: tuple(file for file in own if file not in common) for name, own in files.items()},
    )


def _slim_files(bundle: Path, variant: str, slim: Slim, keep: Keep) -> list[PublishedFile]:
    found = []
    with TemporaryDirectory(dir=bundle.resolve().parent, prefix=f".{bundle.name}.") as folder:
        out = Path(folder) / "slim"
        slim(bundle, variant, out)
        for path in sorted(path for path in out.rglob("*") if path.is_file()):
            file = PublishedFile(path.relative_to(out).as_posix(), sha256_of(path), path.stat().st_size)
            keep(path, file)
            found.append(file)
    return found
