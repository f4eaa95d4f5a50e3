"""The provenance of a bundle: hashes, versions and commits, without machine paths and times."""

from __future__ import annotations

import dataclasses
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import edgener
from edgener.checkpoint import Checkpoint, data_record
from edgener.data.types import Dataset
from edgener_exporters.checkpoint.adapter import base_folder
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.base.files import sha256_of

LIBRARIES = ("torch", "transformers", "tokenizers", "onnx", "numpy")


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that affect a bundle."""
    found = {name: version(name) for name in LIBRARIES}
    # the module's own version, as onnxruntime-gpu provides the module too
    return {"python": platform.python_version(), **found, "onnxruntime": str(load_onnxruntime().__version__)}


def provenance(checkpoint: Checkpoint, dataset: Dataset, exporter: str) -> dict[str, Any]:
    """The provenance record of the manifest."""
    base = base_folder(checkpoint.path)
    return {
        "checkpoint": file_hashes(checkpoint.path),
        **({"base_checkpoint": file_hashes(base)} if base else {}),
        "training": dataclasses.asdict(checkpoint.record) if checkpoint.record else None,
        "evaluation": dataclasses.asdict(data_record(dataset)),
        "exporter": exporter,
        "versions": library_versions(),
        "edgener_commit": _commit(Path(edgener.__file__).parents[1]),
    }


def file_hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of a folder, by name."""
    return {file.name: sha256_of(file) for file in sorted(folder.iterdir()) if file.is_file()}


def _commit(folder: Path) -> str | None:
    """The commit of edgener's checkout, or None outside a checkout."""
    if not (folder / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],  # noqa: S607 - the git of the user's PATH
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
