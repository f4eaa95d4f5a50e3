"""Bundles whose variants TensorRT takes, made without judging them: these tests are of builds, not of parity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgener.bundle.build import (
    draft_manifest,
    model_file,
    write_manifest,
)
from edgener.bundle.tokenizer import TOKENIZER, tokenizer_settings, write_tokenizer
from edgener.checkpoint import open_checkpoint
from edgener_exporters.calibrate.calibration import Calibration
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.variants import VARIANTS
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.text.tokenize import TextTokenizer


def make_bundle(checkpoint: Path, names: Sequence[str], texts: Sequence[str], out: Path) -> Manifest:
    """A bundle with FP32 and the variants named, their ranges measured on `texts`."""
    opened = open_checkpoint(checkpoint)
    fp32 = model_file(out, VARIANTS["fp32"])
    fp32.parent.mkdir(parents=True)
    write_tokenizer(opened, out)
    export_onnx(checkpoint, fp32)
    calibration = Calibration(texts, TextTokenizer(out / TOKENIZER, tokenizer_settings(opened, fp32)))
    variants = [VARIANTS[name] for name in names]
    for variant in variants:
        if variant.build:
            variant.build(fp32, model_file(out, variant), calibration)
    return write_manifest(draft_manifest(opened, [*variants, VARIANTS["fp32"]], out, {}), out)
