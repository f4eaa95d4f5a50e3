"""One variant built in a process of its own: `build_alone.py VARIANT FOLDER`.

FOLDER has the checkpoint, its tokenizer.json and tokenizer settings, the calibration texts, and, but for fp32, the FP32
graph.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgener_exporters.calibration import Calibration
from edgener_exporters.onnx import export_onnx
from edgener_exporters.variants import VARIANTS
from edgener_runtime.manifest import TokenizerSettings
from edgener_runtime.tokenize import TextTokenizer


def main(name: str, folder: Path) -> None:
    out = folder / f"{name}.onnx"
    if builder := VARIANTS[name].build:
        settings = TokenizerSettings(**json.loads((folder / "settings.json").read_text()))
        tokenizer = TextTokenizer(folder / settings.file, settings)
        builder(folder / "fp32.onnx", out, Calibration(json.loads((folder / "texts.json").read_text()), tokenizer))
    else:
        export_onnx(folder / "checkpoint", out)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
