"""THE table of variants: it drives the commands' choices, the manifest, the documents and the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgener_runtime.errors import UserInputError
from edgener_runtime.manifest import Needs

from .int8_dynamic import quantize_dynamic

if TYPE_CHECKING:
    from .calibration import Calibration

Builder = Callable[[Path, Path, "Calibration"], None]


@dataclass(frozen=True)
class Variant:
    """One form a model can take: how it is made from the FP32 graph, where it may run, and what it is for.

    `build(fp32, out, calibration)` writes the graph, or is None for FP32 itself; `calibrated` builders read the
    calibration text. `refused` gives the reason for every provider where the variant makes no sense.
    `disabled_optimizers` are onnxruntime fusions that cost more than they save. `exact` variants must give PyTorch's
    label for every token, the others keep to a budget.
    """

    name: str
    precision: str
    description: str
    needs: Needs
    exact: bool = False
    build: Builder | None = None
    calibrated: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)
    disabled_optimizers: tuple[str, ...] = ()


_CPU_AND_CUDA = ("CPUExecutionProvider", "CUDAExecutionProvider")
# SkipLayerNormalization's CPU kernel is slower than the nodes it replaces; in FP32 graphs nothing is fused to it.
_SLOW_ON_CPU = ("SkipLayerNormFusion",)

# Fastest on a CPU first: a bundle lists its variants in this order and a device takes the first that it can run.
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant(
            "int8-dynamic",
            "int8",
            "INT8 weights per channel, activations quantised on the fly; for CPUs, a quarter of the size",
            Needs(("CPUExecutionProvider",), "1.23"),
            build=lambda fp32, out, calibration: quantize_dynamic(fp32, out),
            disabled_optimizers=_SLOW_ON_CPU,
        ),
        Variant(
            "fp32",
            "fp32",
            "the trained weights as they are; the reference on every device",
            Needs(_CPU_AND_CUDA, "1.23"),
            exact=True,
        ),
    )
}


ALL = "all"
DEFAULT = "int8-dynamic,fp32"


def select_variants(names: str) -> tuple[Variant, ...]:
    """The variants of a comma-separated list, or `all`, in the table's order.

    Raises UserInputError with the names there are.
    """
    asked = list(VARIANTS) if names.strip() == ALL else [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in asked if name not in VARIANTS]
    if unknown or not asked:
        found = f"there is no variant {unknown[0]!r}" if unknown else "no variant was named"
        raise UserInputError(found, f"Choose among: {', '.join(VARIANTS)}, or {ALL}.")
    return tuple(variant for name, variant in VARIANTS.items() if name in asked)
