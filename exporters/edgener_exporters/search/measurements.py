"""The measurements that a search needs of an FP32 graph: gains of smoothing, and noise and time of each product."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from edgener_exporters.calibrate.calibration import Calibration
from edgener_exporters.calibrate.measurement_cache import MeasurementCache
from edgener_exporters.graph.graph import copy_of, open_graph
from edgener_exporters.graph.roles import Product
from edgener_exporters.quantise.int8 import ProductKernel, encoder_products
from edgener_exporters.quantise.int8_dynamic import dynamic_product
from edgener_exporters.quantise.smooth import smooth, smoothable
from edgener_runtime.base.files import sha256_of

from .mixed import make_kernels, write_mixed
from .sensitivity import TIMED_ROUNDS, Noise, product_seconds

NOISE_TEXTS = 64  # of the calibration text, for the noise of each product


class ProductMeasurements:
    """An open FP32 graph with calibration text; the kernels `without` are left out.

    Each noise is cached as soon as it is measured, so that an interrupted search resumes. Raises UserInputError where
    the calibration text is too short.
    """

    def __init__(self, fp32: Path, calibration: Calibration, without: Collection[str] = ()) -> None:
        calibration.check()
        self.graph = sha256_of(fp32)
        self.model = open_graph(fp32)
        self._calibration = calibration
        self._without = without
        self._cache = MeasurementCache(calibration.cache, [self.graph, calibration.sha256, calibration.method])

    @cached_property
    def kernels(self) -> dict[str, ProductKernel]:
        """The kernels to choose among, on the ranges of the graph as it is at the first call."""
        found = make_kernels(self.model, self._calibration)
        return {name: kernel for name, kernel in found.items() if name not in self._without}

    @cached_property
    def products(self) -> list[Product]:
        """The encoder products of the graph as it is at the first call."""
        return encoder_products(self.model)

    def smooth(self) -> list[str]:
        """Smooth the activations whose products make less noise then, and return their names."""
        found = smoothable(self.model)
        step = self._calibration.track("smoothing", len(found))
        noise, chosen = self._noise_of(self.model), []
        for name, products in found.items():
            if self._cache(f"smooth {name}", lambda: self._smoothing_gain(name, products, noise)) > 0:  # noqa: B023
                chosen.append(name)
            step()
        smooth(self.model, self._calibration, chosen)
        return chosen

    def noise(self) -> dict[str, dict[str, float]]:
        """The noise of each product with each kernel, by role and kernel."""
        steps = len(self.products) * len(self.kernels)
        noise, step = self._noise_of(self.model), self._calibration.track("noise of products", steps)
        found: dict[str, dict[str, float]] = {product.role: {} for product in self.products}
        for product in self.products:
            for name, kernel in self.kernels.items():
                found[product.role][name] = self._cache(
                    f"noise {product.input} {product.role} {name}",
                    lambda: noise.changed(self.model, [(product, kernel)]),  # noqa: B023
                )
                step()
        return found

    def seconds(self) -> dict[str, dict[str, float]]:
        """The time of each bare product with each kernel, by role and kernel."""
        step = self._calibration.track("time of products", TIMED_ROUNDS)
        return product_seconds(self.model, self.products, self.kernels, step)

    def write(self, out: Path, chosen: Mapping[str, str]) -> None:
        """Write a copy of the graph with the kernels chosen by role."""
        write_mixed(copy_of(self.model), out, self.kernels, chosen)

    def _noise_of(self, model: Any) -> Noise:
        texts = self._calibration.with_texts(self._calibration.texts[:NOISE_TEXTS])
        return Noise(model, texts.feeds("noise"))

    def _smoothing_gain(self, name: str, products: Sequence[Product], noise: Noise) -> float:
        """The noise that smoothing saves with the dynamic kernel, whose range depends on the largest channel."""
        copy = copy_of(self.model)
        smooth(copy, self._calibration, [name])
        roles = {product.role for product in products}
        smoothed = [product for product in encoder_products(copy) if product.role in roles]
        before, after = (
            noise.changed(model, [(product, dynamic_product) for product in some])
            for model, some in ((self.model, products), (copy, smoothed))
        )
        return before - after
