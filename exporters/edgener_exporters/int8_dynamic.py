"""Dynamic INT8: weights per channel, embeddings included, activations quantised at run time."""

from __future__ import annotations

from pathlib import Path

from .foreign import export_errors, quiet_root_logger


def quantize_dynamic(fp32: Path, out: Path) -> None:
    """Write the dynamic INT8 form of an FP32 graph. Raises ExportError where onnxruntime cannot quantise it."""
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization import quantize_dynamic as quantize

    # onnxruntime logs advice to pre-process, which changes nothing for these graphs and fails on some
    with export_errors(f"onnxruntime cannot quantise {fp32.name}"), quiet_root_logger():
        quantize(
            fp32,
            out,
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            reduce_range=True,  # 7 bits: CPUs without VNNI add two products in 16 bits, which 8-bit weights overflow
            # products of two activations have no weight to quantise beforehand
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT},
        )
