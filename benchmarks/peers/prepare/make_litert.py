"""make_litert.py CHECKPOINT FOLDER: a checkpoint in LiteRT's form, dynamic-range INT8 by its quantiser.

Dynamic shapes do not convert, so the model has a signature for each length of one text and of eight together.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import litert_torch
import torch
from ai_edge_quantizer import quantizer, recipe
from transformers import AutoModelForTokenClassification

LENGTHS = (8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 160, 192)
TEXTS = (1, 8)
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
checkpoint, folder = map(Path, sys.argv[1:3])


class Logits(torch.nn.Module):
    """The model with its logits as the only output."""

    def __init__(self) -> None:
        super().__init__()
        self.network = AutoModelForTokenClassification.from_pretrained(checkpoint).eval()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor):  # type: ignore[no-untyped-def]
        """Logits (texts, subwords, labels)."""
        return self.network(input_ids, attention_mask, token_type_ids).logits


network, signatures = Logits().eval(), litert_torch
for shape in itertools.product(TEXTS, LENGTHS):
    example = {name: torch.ones(shape, dtype=torch.int64) for name in INPUTS}
    signatures = signatures.signature("shape_{}_{}".format(*shape), network, sample_kwargs=example)
signatures.convert().export(str(folder / "fp32.tflite"))
by_recipe = quantizer.Quantizer(str(folder / "fp32.tflite"), recipe.dynamic_wi8_afp32())
by_recipe.quantize().export_model(str(folder / "int8.tflite"))
(folder / "fp32.tflite").unlink()
