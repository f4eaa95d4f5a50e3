"""The forms that one matrix product can take on a CPU, by the names of the variants that have all of theirs so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgener_exporters.calibrate.calibration import Calibration
from edgener_exporters.calibrate.ranges import Range
from edgener_exporters.quantise.int8 import Form, encoder_products
from edgener_exporters.quantise.int8_dynamic import dynamic_product
from edgener_exporters.quantise.int8_rowwise import rowwise_form
from edgener_exporters.quantise.int8_static import static_form
from edgener_exporters.quantise.weight_only import weight_only_product

FP32 = "fp32"
FORMS: Mapping[str, Callable[[dict[str, Range]], Form]] = {
    "int8-dynamic": lambda seen: dynamic_product,
    "int8-static": static_form,
    "int8-rowwise": rowwise_form,
    "int8-weight-only": lambda seen: weight_only_product,
}


def forms_of(model: Any, calibration: Calibration) -> dict[str, Form]:
    """Every form but FP32, on the ranges that the activations of the open graph have on the calibration text."""
    seen = calibration.ranges(model, list(dict.fromkeys(product.input for product in encoder_products(model))))
    return {name: make(seen) for name, make in FORMS.items()}
