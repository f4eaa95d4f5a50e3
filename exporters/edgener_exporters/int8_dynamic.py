"""Dynamic INT8: weights per channel, embeddings included, activations quantised at run time."""

from __future__ import annotations

import logging
from pathlib import Path

from edgener_runtime.errors import ExportError


def quantize_dynamic(fp32: Path, out: Path) -> None:
    """Write the dynamic INT8 form of an FP32 graph. Raises ExportError where onnxruntime cannot quantise it."""
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization import quantize_dynamic as quantize

    logging.getLogger().addFilter(_is_no_preprocessing_advice)
    try:
        quantize(
            fp32,
            out,
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            # products of two activations have no weight to quantise beforehand
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    except Exception as error:
        raise ExportError(f"onnxruntime cannot quantise {fp32.name}: {type(error).__name__}: {error}") from error
    finally:
        logging.getLogger().removeFilter(_is_no_preprocessing_advice)


def _is_no_preprocessing_advice(record: logging.LogRecord) -> bool:
    """onnxruntime advises a pre-processing step that changes nothing for these graphs and fails on some."""
    return "pre-process" not in record.getMessage()
