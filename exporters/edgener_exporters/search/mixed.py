"""Mixed precision: each matrix product in the form that a search found for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_exporters.graph.graph import open_graph
from edgener_exporters.graph.roles import Product
from edgener_exporters.int8_kernels import FORMS, FP32, forms_of
from edgener_exporters.quantise.int8 import Form, encoder_products, quantize_products
from edgener_exporters.quantise.smooth import smooth, smoothable
from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    from edgener_exporters.calibrate.calibration import Calibration
    from edgener_exporters.graph.graph import Emit


@dataclass(frozen=True)
class Plan:
    """The form of each product of the encoder by its role, and the activations that are smoothed first."""

    forms: dict[str, str]
    smoothed: tuple[str, ...] = ()


def build_mixed(fp32: Path, out: Path, calibration: Calibration, plan: Plan) -> None:
    """Write an FP32 graph with its products in the forms of a plan.

    Raises UserInputError where the plan was made for another graph.
    """
    model = open_graph(fp32)
    _check(plan, model)
    smooth(model, calibration, plan.smoothed)
    write_mixed(model, out, forms_of(model, calibration), plan.forms)


def _check(plan: Plan, model: Any) -> None:
    roles, planned = {product.role for product in encoder_products(model)}, set(plan.forms)
    problems = (
        (set(plan.smoothed) - set(smoothable(model)), "smooths {}, which the graph has not"),
        (planned - roles, "names a product that the graph has not: no product {}"),
        (roles - planned, "says nothing of {}"),
        (set(plan.forms.values()) - {FP32, *FORMS}, "has the form {!r}, which there is not"),
    )
    for strange, problem in problems:
        if strange:
            found = problem.format(min(strange))
            raise UserInputError(f"the plan was made for another graph: it {found}", "Search again: edgener search")


def write_mixed(model: Any, out: Path, forms: Mapping[str, Form], chosen: Mapping[str, str]) -> None:
    """Write an open graph, smoothed already where it is to be, with its products in the forms chosen by role."""

    def form(product: Product, weights: dict[str, Any]) -> Emit:
        return forms[chosen[product.role]](product, weights)

    quantize_products(model, out, form, [role for role, name in chosen.items() if name == FP32])
