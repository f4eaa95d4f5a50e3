"""One variant built in a process of its own: `build_alone.py VARIANT FOLDER`.

FOLDER has the checkpoint, its tokenizer.json and tokenizer settings, the calibration texts, and, but for fp32, the FP32
graph.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from itertools import cycle
from pathlib import Path

from edgener_exporters.calibrate.calibration import Calibration
from edgener_exporters.graph.graph import open_graph
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.quantise.int8 import encoder_products
from edgener_exporters.quantise.smooth import smoothable
from edgener_exporters.search.mixed import Plan, build_mixed
from edgener_exporters.variants import KERNELS, VARIANTS
from edgener_runtime.bundle.manifest import TokenizerSettings
from edgener_runtime.text.tokenize import TextTokenizer


def every_kernel(folder: Path) -> Plan:
    """A plan in which the kernels take turns and every activation is smoothed that can be."""
    graph, kernels = open_graph(folder / "fp32.onnx"), cycle(KERNELS)
    return Plan({product.role: next(kernels) for product in encoder_products(graph)}, tuple(smoothable(graph)))


def main(name: str, folder: Path) -> None:
    out = folder / f"{name}.onnx"
    if builder := partial(build_mixed, plan=every_kernel(folder)) if name == "mixed" else VARIANTS[name].build:
        settings = TokenizerSettings(**json.loads((folder / "settings.json").read_text()))
        tokenizer = TextTokenizer(folder / settings.file, settings)
        builder(folder / "fp32.onnx", out, Calibration(json.loads((folder / "texts.json").read_text()), tokenizer))
    else:
        export_onnx(folder / "checkpoint", out)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
