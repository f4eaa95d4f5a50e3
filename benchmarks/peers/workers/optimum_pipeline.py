"""optimum-onnx: ORTModelForTokenClassification in transformers' pipeline, FP32 or its own dynamic INT8."""

from __future__ import annotations

from contextlib import nullcontext

import onnxruntime
import torch
from optimum.onnxruntime import ORTModelForTokenClassification
from protocol import Setting, serve
from transformers_pipeline import Pipeline, open_pipeline

FILES = {"fp32": "model.onnx", "int8": "model_quantized.onnx"}


def load(setting: Setting) -> Pipeline:
    """The checkpoint as optimum exported it."""
    torch.set_num_threads(setting.threads)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setting.threads
    model = ORTModelForTokenClassification.from_pretrained(
        setting.models / "optimum", file_name=FILES[setting.form], session_options=options
    )
    return Pipeline(open_pipeline(model, str(setting.checkpoint)), nullcontext)


if __name__ == "__main__":
    serve(load)
