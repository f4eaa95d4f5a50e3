"""New versions of a bundle behind a link, as an update leaves them, and those that a device must refuse."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener_runtime.bundle.manifest import MANIFEST, read_manifest


@dataclass(frozen=True)
class Editions:
    """The bundle under other names, and so of other versions, in `folder`; `current` is a link to one of them."""

    bundle: Path
    folder: Path

    @property
    def current(self) -> Path:
        return self.folder / "current"

    def make(self, name: str) -> Path:
        """A copy of this name."""
        made = Path(shutil.copytree(self.bundle, self.folder / name))
        record = json.loads((made / MANIFEST).read_text(encoding="utf-8"))
        (made / MANIFEST).write_text(json.dumps(record | {"name": name}), encoding="utf-8")
        return made

    def use(self, name: str) -> str:
        """Point the link to an edition; its version."""
        fresh = self.folder / "fresh"
        fresh.symlink_to(name)
        fresh.replace(self.current)
        return read_manifest(self.current).version


def nobody(bundle: Path, release: Any, stranger: Any) -> None:
    """Nobody signs it."""


def another(bundle: Path, release: Any, stranger: Any) -> None:
    """Someone else signs it."""
    stranger.sign(bundle)


def changed_since(bundle: Path, release: Any, stranger: Any) -> None:
    """It is changed after the owner has signed it."""
    release.sign(bundle)
    record = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    (bundle / MANIFEST).write_text(json.dumps(record | {"outside": "O"}, indent=1), encoding="utf-8")


def swapped(bundle: Path, release: Any, stranger: Any) -> None:
    """The owner's signature of the version before is put beside it."""
    manifest = (bundle / MANIFEST).read_bytes()
    (bundle / MANIFEST).write_bytes(manifest.replace(b"{", b"{ ", 1))
    release.sign(bundle)
    (bundle / MANIFEST).write_bytes(manifest)


REFUSED: dict[str, tuple[Callable[[Path, Any, Any], None], str]] = {
    "unsigned": (nobody, "is not signed: it has no manifest.json.sig"),
    "strangers": (another, "is not signed by an accepted key"),
    "swapped": (swapped, "is not of this manifest.json, which was changed since"),
    "changed": (changed_since, "is not of this manifest.json, which was changed since"),
}
"""By the name of the edition: who signs it, and why it is refused."""
