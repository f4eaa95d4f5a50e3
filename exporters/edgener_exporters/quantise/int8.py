"""The common parts of the INT8 variants for CPUs: the products to quantise, and their weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from edgener_exporters.calibrate.ranges import Range
from edgener_exporters.graph.graph import Emit, Rewriting, drop_unused, rewrite, save_graph, weights_of
from edgener_exporters.graph.roles import Product, find_embeddings, find_products
from edgener_exporters.graph.weights import quantize_embedding, quantized, safe_column_scales
from edgener_runtime.errors import UserInputError

STEPS = 255  # of an activation range
LEAST_DECIBELS = 24.0

ProductKernel = Callable[[Product, dict[str, Any]], Emit]
"""Makes the emitter of one product in INT8 from the product and the graph's weights."""


def quantize_products(
    model: Any, out: Path, kernel: ProductKernel, keep: Collection[str] = (), instead: Mapping[str, Emit] | None = None
) -> None:
    """Write an open FP32 graph with another kernel for its products and with INT8 embeddings.

    `instead` has further replacements of nodes, by their output; products that nothing reads then are removed. The
    classifier and the products with a role in `keep` stay in FP32, as do products of two activations, which have no
    constant weight. Raises UserInputError where it is not an encoder of BERT's family.
    """
    weights = weights_of(model)
    plan = {product.output: kernel(product, weights) for product in encoder_products(model, keep)}
    for embedding in find_embeddings(model):
        plan |= quantize_embedding(embedding, weights)
    rewrite(model, plan | dict(instead or {}))
    drop_unused(model.graph)
    save_graph(model, out)


def encoder_products(model: Any, keep: Collection[str] = ()) -> list[Product]:
    """The products to quantise: all except the classifier, which is small and decides the labels, and those of `keep`.

    Raises UserInputError for an unknown role in `keep`.
    """
    products = find_products(model)
    if strange := sorted(set(keep) - {product.role for product in products}):
        raise UserInputError(f"there is no product {', '.join(strange)}", f"Such as: {products[0].role}")
    if all(product.is_head for product in products):
        raise UserInputError("the encoder has no products of activations with weights", "Leave this variant out.")
    return [product for product in products if not product.is_head and product.role not in keep]


def noisy_products(products: Iterable[Product], seen: dict[str, Range], symmetric: bool) -> set[str]:
    """The roles of products whose input would be less than LEAST_DECIBELS over its rounding noise in these ranges."""
    return {product.role for product in products if decibels(seen[product.input], symmetric) < LEAST_DECIBELS}


def decibels(seen: Range, symmetric: bool) -> float:
    """Signal over the noise of rounding to the 255 even steps of a range, or of the symmetric range around it."""
    step = max(2 * seen.size if symmetric else seen.high - seen.low, 1e-30) / STEPS
    return 10 * math.log10(max(seen.power, 1e-30) / (step * step / 12))


def int8_weight(changed: Rewriting, product: Product, weights: dict[str, Any]) -> tuple[str, str, str]:
    """The names of a product's S8 weight, its scales and its zero points."""
    import numpy as np
    from onnx import numpy_helper

    array = numpy_helper.to_array(weights[product.weight])
    scales = safe_column_scales(array)
    return (
        changed.weight(f"{product.weight}/int8", lambda: quantized(array, scales)),
        changed.weight(f"{product.weight}/scale", lambda: scales),
        changed.weight(f"{product.weight}/zero_point", lambda: np.zeros(len(scales), dtype=np.int8)),
    )
