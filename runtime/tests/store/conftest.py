"""Bundles of several versions, and stores to put them into."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgener_runtime.bundle.store.store import Store

from .disks import FastDisk

Editions = Callable[[str], Path]


@pytest.fixture(scope="session")
def edition(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Editions:
    """`edition("2")` is the bundle under another name, and so of another version. Not to be changed."""
    base = tmp_path_factory.mktemp("editions")

    def made(name: str) -> Path:
        folder = base / name
        if not folder.exists():
            shutil.copytree(bundle, folder)
            record = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            (folder / "manifest.json").write_text(json.dumps(record | {"name": name}), encoding="utf-8")
        return folder

    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store, whose bundles are good without a trial."""
    return Store(tmp_path / "store", trial=0, disk=FastDisk())
