"""Mixed precision: each matrix product with the kernel that a search chose for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_exporters.graph.graph import open_graph
from edgener_exporters.graph.roles import Product
from edgener_exporters.quantise.int8 import ProductKernel, encoder_products, quantize_products
from edgener_exporters.quantise.smooth import smooth, smoothable
from edgener_exporters.variants import FP32, KERNELS
from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    from edgener_exporters.calibrate.calibration import Calibration
    from edgener_exporters.graph.graph import Emit


@dataclass(frozen=True)
class Plan:
    """The kernel of each encoder product by its role, and the activations to smooth first."""

    kernels: dict[str, str] = field(metadata={"key": "forms"})
    smoothed: tuple[str, ...] = ()


def build_mixed(fp32: Path, out: Path, calibration: Calibration, plan: Plan) -> None:
    """Write an FP32 graph whose products have the kernels of a plan.

    Raises UserInputError where the plan was made for another graph.
    """
    model = open_graph(fp32)
    _check(plan, model)
    smooth(model, calibration, plan.smoothed)
    write_mixed(model, out, make_kernels(model, calibration), plan.kernels)


def make_kernels(model: Any, calibration: Calibration) -> dict[str, ProductKernel]:
    """Every kernel except FP32, on the activation ranges of the open graph on the calibration text."""
    ranges = calibration.ranges(model, list(dict.fromkeys(product.input for product in encoder_products(model))))
    return {name: make(ranges) for name, make in KERNELS.items()}


def write_mixed(model: Any, out: Path, kernels: Mapping[str, ProductKernel], chosen: Mapping[str, str]) -> None:
    """Write an open graph, already smoothed, whose products have the kernels chosen by role."""

    def kernel(product: Product, weights: dict[str, Any]) -> Emit:
        return kernels[chosen[product.role]](product, weights)

    quantize_products(model, out, kernel, [role for role, name in chosen.items() if name == FP32])


def _check(plan: Plan, model: Any) -> None:
    roles, planned = {product.role for product in encoder_products(model)}, set(plan.kernels)
    differences = (
        (set(plan.smoothed) - set(smoothable(model)), "smooths {}, which the graph does not have"),
        (planned - roles, "names a product that the graph does not have: no product {}"),
        (roles - planned, "says nothing of {}"),
        (set(plan.kernels.values()) - {FP32, *KERNELS}, "has the unknown kernel {!r}"),
    )
    for names, sentence in differences:
        if names:
            found = sentence.format(min(names))
            raise UserInputError(f"the plan was made for another graph: it {found}", "Search again: edgener search")
