"""make_ctranslate2.py CHECKPOINT FOLDER: a checkpoint's encoder in CTranslate2's form, its head as numpy arrays."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ctranslate2.converters import TransformersConverter
from safetensors.numpy import load_file
from transformers import AutoTokenizer, BertModel

checkpoint, folder = map(Path, sys.argv[1:3])
# the converter goes by the architecture that the configuration names: a bare encoder
encoder = folder / "encoder"
BertModel.from_pretrained(checkpoint).save_pretrained(encoder)
AutoTokenizer.from_pretrained(checkpoint).save_pretrained(encoder)
TransformersConverter(str(encoder)).convert(str(folder / "model"))
weights = load_file(checkpoint / "model.safetensors")
np.savez(folder / "head.npz", weight=weights["classifier.weight"], bias=weights["classifier.bias"])
