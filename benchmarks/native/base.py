"""A BERT-base with random weights as a bundle: it is as fast as a trained one, and no gate could judge it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import edgener_exporters
from edgener_exporters.calibrate.calibration import Calibration
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.graph.optimise import optimise_for_cpu
from edgener_exporters.variants import VARIANTS, Variant
from edgener_runtime.base.files import staged_folder
from edgener_runtime.bundle.manifest import MANIFEST, Manifest, VariantEntry, read_manifest
from edgener_runtime.bundle.verify import file_entry
from edgener_runtime.text.casing import CASE_CLASSES
from edgener_runtime.text.tokenize import TextTokenizer

LAYERS, WIDTH, HEADS, INNER = 12, 768, 12, 3072  # BERT-base
CALIBRATION = 48  # texts


def base_bundle(bundle: Path, cache: Path, variants: Sequence[str], texts: Sequence[str], layers: int = LAYERS) -> Path:
    """A bundle of variants other than FP32 below `cache`, with the tokenizer and labels of another bundle.

    It is made again where the exporters have changed.
    """
    manifest = read_manifest(bundle)
    out = cache / f"bert-base-{layers}-{_version(manifest, variants)}"
    if not (out / MANIFEST).is_file():
        with staged_folder(out, MANIFEST) as staging, TemporaryDirectory(dir=cache) as scratch:
            checkpoint = _random(Path(scratch), manifest, layers)
            _write(checkpoint, bundle, manifest, [VARIANTS[name] for name in variants], texts[:CALIBRATION], staging)
    return out


def _random(folder: Path, manifest: Manifest, layers: int) -> Path:
    import torch
    import transformers

    torch.manual_seed(1)
    transformers.utils.logging.disable_progress_bar()
    config = transformers.BertConfig(
        vocab_size=manifest.tokenizer.embeddings, num_labels=len(manifest.labels), num_hidden_layers=layers,
        hidden_size=WIDTH, num_attention_heads=HEADS, intermediate_size=INNER, type_vocab_size=CASE_CLASSES,
    )  # fmt: skip
    transformers.AutoModelForTokenClassification.from_config(config).save_pretrained(folder)
    return folder


def _write(
    checkpoint: Path, bundle: Path, manifest: Manifest, variants: Sequence[Variant], texts: Sequence[str], folder: Path
) -> None:
    """The files, and a manifest without figures."""
    tokenizer = folder / manifest.tokenizer.file
    shutil.copyfile(bundle / manifest.tokenizer.file, tokenizer)
    fp32 = folder / "fp32.onnx"
    export_onnx(checkpoint, fp32)
    calibration = Calibration(texts, TextTokenizer(tokenizer, manifest.tokenizer))
    entries = [_variant(variant, fp32, folder, calibration) for variant in variants]
    fp32.unlink()
    made = replace(manifest, name=folder.name, variants=tuple(entries), files=(file_entry(folder, tokenizer),))
    (folder / MANIFEST).write_text(made.to_json(), encoding="utf-8")


def _variant(variant: Variant, fp32: Path, folder: Path, calibration: Calibration) -> VariantEntry:
    """Build it as an export does."""
    import onnx

    file = folder / f"{variant.name}.onnx"
    if variant.build:
        variant.build(fp32, file, calibration)
    if not variant.requirements.operators:
        optimise_for_cpu(file, variant.disabled_optimizers)
    opset = next(each.version for each in onnx.load(file).opset_import if each.domain in ("", "ai.onnx"))
    return VariantEntry(
        variant.name, variant.precision, file_entry(folder, file), opset, variant.requirements, (),
        disabled_optimizers=variant.disabled_optimizers,
    )  # fmt: skip


def _version(manifest: Manifest, variants: Sequence[str]) -> str:
    """Of all that decides what is built."""
    sources = sorted(Path(edgener_exporters.__path__[0]).rglob("*.py"))
    found = hashlib.sha256(manifest.tokenizer_entry.sha256.encode() + ",".join(variants).encode())
    for file in sources:
        found.update(file.read_bytes())
    return found.hexdigest()[:12]
