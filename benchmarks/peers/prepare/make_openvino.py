"""make_openvino.py CHECKPOINT FOLDER TEXTS: a checkpoint in OpenVINO's form, INT8 by NNCF calibrated on the texts, and
8-bit weights alone, whose activations OpenVINO quantises as it runs.

TEXTS is a JSON list of training sentences. The conversion starts from PyTorch, where attention is still one operation.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workers"))

import nncf
import openvino
import torch
from protocol import load_case_classes
from transformers import AutoModelForTokenClassification, AutoTokenizer

case_classes = load_case_classes()
checkpoint, folder, texts = sys.argv[1:]
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def model_inputs(text: str) -> dict[str, Any]:
    """What the model takes of one text, each (1, subwords), case classes as token types."""
    found = tokenizer(text, return_tensors="np", return_offsets_mapping=True, return_special_tokens_mask=True)
    starts = [start for start, _ in found["offset_mapping"][0].tolist()]
    found["token_type_ids"] = found["token_type_ids"] * 0 + case_classes(text, starts)
    found["token_type_ids"] *= 1 - found["special_tokens_mask"]
    return {name: found[name] for name in INPUTS}


tokenizer = AutoTokenizer.from_pretrained(checkpoint)
tokenizer.backend_tokenizer.no_truncation()
tokenizer.backend_tokenizer.no_padding()
sentences = json.loads(Path(texts).read_text(encoding="utf-8"))
network = AutoModelForTokenClassification.from_pretrained(checkpoint).eval()
example = {name: torch.from_numpy(array) for name, array in model_inputs(sentences[0]).items()}
model = openvino.convert_model(network, example_input=example)
openvino.save_model(model, Path(folder) / "fp32.xml", compress_to_fp16=False)
calibration = nncf.Dataset(sentences, model_inputs)
size = min(300, len(sentences))
int8 = nncf.quantize(model, calibration, subset_size=size, model_type=nncf.ModelType.TRANSFORMER)
openvino.save_model(int8, Path(folder) / "int8.xml", compress_to_fp16=False)
weights = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
openvino.save_model(weights, Path(folder) / "weights.xml", compress_to_fp16=False)
