"""make_optimum.py CHECKPOINT FOLDER: optimum's ONNX export of a checkpoint and its own dynamic INT8, per channel."""

from __future__ import annotations

import sys

from optimum.onnxruntime import ORTModelForTokenClassification, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig

checkpoint, folder = sys.argv[1:3]
ORTModelForTokenClassification.from_pretrained(checkpoint, export=True).save_pretrained(folder)
quantizer = ORTQuantizer.from_pretrained(folder, file_name="model.onnx")
form = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=True)
quantizer.quantize(save_dir=folder, quantization_config=form)
