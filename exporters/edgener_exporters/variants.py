"""THE table of variants: it drives the commands' choices, the manifest, the documents, the search and the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgener_exporters.quantise.fp16 import convert_fp16
from edgener_exporters.quantise.int8_dynamic import dynamic_product, quantize_dynamic
from edgener_exporters.quantise.int8_native import VERSION, quantize_native
from edgener_exporters.quantise.int8_qdq import quantize_qdq
from edgener_exporters.quantise.int8_rowwise import quantize_rowwise, rowwise_kernel
from edgener_exporters.quantise.int8_static import quantize_static, static_kernel
from edgener_exporters.quantise.weight_only import quantize_weights, weight_only_product
from edgener_runtime.bundle.manifest import VariantRequirements
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.devices import CPU, CUDA, TENSORRT

if TYPE_CHECKING:
    from edgener_exporters.calibrate.calibration import Calibration
    from edgener_exporters.calibrate.ranges import Range
    from edgener_exporters.quantise.int8 import ProductKernel

Builder = Callable[[Path, Path, "Calibration"], None]
KernelMaker = Callable[["dict[str, Range]"], "ProductKernel"]


@dataclass(frozen=True)
class Variant:
    """One runnable version of a model: how to build it from the FP32 graph, where it may run, and its purpose.

    `build(fp32, out, calibration)` writes the graph; it is None for FP32 and for the variant that a search plans
    (`planned`). `calibrated` builders read the calibration text. `kernel(ranges)` computes one matrix product as the
    variant does, so that a search can choose it product by product; None where that is not possible. `refused` has the
    reason for every provider where the variant makes no sense. `disabled_optimizers` are onnxruntime fusions that cost
    more than they save. `exact` variants must give PyTorch's label for every token, the others stay within a budget.
    """

    name: str
    precision: str
    description: str
    requirements: VariantRequirements
    exact: bool = False
    build: Builder | None = None
    kernel: KernelMaker | None = None
    calibrated: bool = False
    planned: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)
    disabled_optimizers: tuple[str, ...] = ()


# Sets of disabled fusions that an export times.
SESSION_OPTIONS: tuple[tuple[str, ...], ...] = ((), ("SkipLayerNormFusion",))

# SkipLayerNormalization's CPU kernel is slower than the nodes it replaces; in FP32 graphs nothing is fused to it.
_SLOW_ON_CPU = ("SkipLayerNormFusion",)
_CPU_ONLY = {
    CUDA: "onnxruntime's CUDA provider has no products of U8 by S8: fp16",
    TENSORRT: "it accepts symmetric S8 Q/DQ pairs alone: int8-qdq",
}

# Usually fastest on a CPU first; a bundle without timings keeps this order, and a device takes the first it can run.
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant(
            "int8-native",
            "int8",
            "INT8 weights per channel, one range per subword, a layer as one operator of edgener-ops: no batch effect",
            VariantRequirements((CPU,), "1.23", VERSION),
            build=quantize_native,
            calibrated=True,
            refused=_CPU_ONLY,
        ),
        Variant(
            "int8-dynamic",
            "int8",
            "INT8 weights per channel, activations quantised at run time, one range per tensor; needs no calibration",
            VariantRequirements((CPU,), "1.23"),
            build=lambda fp32, out, calibration: quantize_dynamic(fp32, out),
            kernel=lambda ranges: dynamic_product,
            refused=_CPU_ONLY,
            disabled_optimizers=_SLOW_ON_CPU,
        ),
        Variant(
            "mixed",
            "int8",
            "each matrix product with the kernel that a search chose for it: the fastest mix within the budgets",
            VariantRequirements((CPU,), "1.23"),
            planned=True,
            calibrated=True,
            refused=_CPU_ONLY,
            disabled_optimizers=_SLOW_ON_CPU,
        ),
        Variant(
            "int8-rowwise",
            "int8",
            "as int8-dynamic, but one range per subword: a text's answer does not depend on its batch",
            VariantRequirements((CPU,), "1.23"),
            build=quantize_rowwise,
            kernel=rowwise_kernel,
            calibrated=True,
            refused=_CPU_ONLY,
            disabled_optimizers=_SLOW_ON_CPU,
        ),
        Variant(
            "int8-static",
            "int8",
            "U8 activations on ranges measured on real text, S8 weights; products that would lose too much stay FP32",
            VariantRequirements((CPU,), "1.23"),
            build=quantize_static,
            kernel=static_kernel,
            calibrated=True,
            refused=_CPU_ONLY,
            disabled_optimizers=_SLOW_ON_CPU,
        ),
        Variant(
            "int8-weight-only",
            "int8",
            "8-bit weights in blocks of 32 (MatMulNBits), nearest to FP32 and slower than the other INT8 variants",
            VariantRequirements((CPU,), "1.23"),
            build=lambda fp32, out, calibration: quantize_weights(fp32, out),
            kernel=lambda ranges: weight_only_product,
            refused={
                CUDA: "not measured there; fp16 is the variant for it",
                TENSORRT: "MatMulNBits is onnxruntime's own operator",
            },
            disabled_optimizers=_SLOW_ON_CPU,
        ),
        Variant(
            "int8-qdq",
            "int8",
            "symmetric S8 activations and weights as Q/DQ pairs with FP16 scales, the rest in FP16; for TensorRT",
            VariantRequirements((TENSORRT,), "1.23"),
            build=quantize_qdq,
            calibrated=True,
            refused={
                CPU: "its S8S8 products are several times slower than FP32 there: int8-static",
                CUDA: "it would compute every pair in FP16 and gain nothing: fp16",
            },
        ),
        Variant(
            "fp16",
            "fp16",
            "half precision except LayerNorm, Softmax and values too large on real text; for GPUs, half the size",
            VariantRequirements((CUDA, TENSORRT), "1.23"),
            build=convert_fp16,
            calibrated=True,
            refused={CPU: "it has no FP16 products: each would be cast to FP32 and back: fp32, int8-dynamic"},
        ),
        Variant(
            "fp32",
            "fp32",
            "the trained weights unchanged; the reference on every device",
            VariantRequirements((CPU, CUDA, TENSORRT), "1.23"),
            exact=True,
        ),
    )
}


FP32 = "fp32"
KERNELS: dict[str, KernelMaker] = {name: row.kernel for name, row in VARIANTS.items() if row.kernel}
"""The kernels that a search chooses among beside FP32, by the variant that uses each for all products."""

DEFAULT = "int8-dynamic,fp32"
SETS = {"all": tuple(VARIANTS), "auto": ("int8-native", "mixed", "fp32")}
"""Names of sets: an export writes those of the set that are within their budgets and leaves the others out."""


def select_variants(names: str) -> tuple[Variant, ...]:
    """The variants of a comma-separated list, or of one of SETS, in the table's order.

    Raises UserInputError with the known names.
    """
    asked = SETS.get(names.strip(), [name.strip() for name in names.split(",") if name.strip()])
    unknown = [name for name in asked if name not in VARIANTS]
    if unknown or not asked:
        found = f"there is no variant {unknown[0]!r}" if unknown else "no variant was named"
        raise UserInputError(found, f"Choose among: {', '.join(VARIANTS)}, or {' or '.join(SETS)}.")
    return tuple(variant for name, variant in VARIANTS.items() if name in asked)
