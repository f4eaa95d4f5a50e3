"""What each peer runs, made once from the checkpoint by the scripts of prepare/ in the peers' own environments."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgener_runtime.errors import ExportError

from .worker import HERE, python_of

MADE = ("optimum", "openvino", "ctranslate2")
CALIBRATION = 300  # sentences of the train split


def make_models(cache: Path, checkpoint: Path, calibration: Sequence[str]) -> Path:
    """The folder with a folder a peer, made where it is missing. Raises ExportError where a peer's own tool fails."""
    models = cache / "models" / _digest(checkpoint, calibration)
    models.mkdir(parents=True, exist_ok=True)
    texts = models / "calibration.json"
    texts.write_text(json.dumps(list(calibration)), encoding="utf-8")
    for name in MADE:
        if not (models / name).is_dir():
            _make(cache, checkpoint, models / name, texts)
    return models


def _make(cache: Path, checkpoint: Path, folder: Path, texts: Path) -> None:
    half = folder.with_name(f"{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    script = HERE / "prepare" / f"make_{folder.name}.py"
    command = [str(python_of(cache, folder.name)), str(script), str(checkpoint), str(half), str(texts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise ExportError(f"{script.name} failed: {' '.join(last)}", f"Run it yourself: {' '.join(command)}")
    half.rename(folder)


def _digest(checkpoint: Path, calibration: Sequence[str]) -> str:
    digest = hashlib.sha256((checkpoint / "model.safetensors").read_bytes())
    digest.update(json.dumps(list(calibration)).encode())
    for script in sorted((HERE / "prepare").glob("*.py")):
        digest.update(script.read_bytes())
    return digest.hexdigest()[:16]
