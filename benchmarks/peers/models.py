"""What each peer runs, made once from the checkpoint by the scripts of prepare/ in the peers' own environments."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from edgener_runtime.errors import ExportError

from .environments import python_of
from .worker import HERE

CALIBRATION = 300  # sentences of the train split
_MADE_BY = ".made-by"  # the script as it was when it made the folder beside it


def make_models(cache: Path, checkpoint: Path, calibration: Sequence[str], names: Iterable[str]) -> Path:
    """The folder with a folder for each name, made by its script in prepare/ unless that made it before.

    Raises ExportError where a peer's own tool fails.
    """
    models = cache / "models" / _digest(checkpoint, calibration)
    models.mkdir(parents=True, exist_ok=True)
    texts = models / "calibration.json"
    texts.write_text(json.dumps(list(calibration)), encoding="utf-8")
    for name in names:
        script = HERE / "prepare" / f"make_{name}.py"
        if not _is_made(models / name, script):
            _make(python_of(cache, name), script, checkpoint, models / name, texts)
    return models


def _is_made(folder: Path, script: Path) -> bool:
    made_by = folder / _MADE_BY
    return made_by.is_file() and made_by.read_bytes() == script.read_bytes()


def _make(python: Path, script: Path, checkpoint: Path, folder: Path, texts: Path) -> None:
    half = folder.with_name(f"{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    command = [str(python), str(script), str(checkpoint), str(half), str(texts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise ExportError(f"{script.name} failed: {' '.join(last)}", f"Run it yourself: {' '.join(command)}")
    shutil.copy(script, half / _MADE_BY)
    shutil.rmtree(folder, ignore_errors=True)
    half.rename(folder)


def _digest(checkpoint: Path, calibration: Sequence[str]) -> str:
    digest = hashlib.sha256((checkpoint / "model.safetensors").read_bytes())
    digest.update(json.dumps(list(calibration)).encode())
    return digest.hexdigest()[:16]
