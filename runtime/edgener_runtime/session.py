"""What runs a variant on the device that was asked for, or an error; and the one door to onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .choose import require
from .devices import DEVICES, PROVIDERS, Device, device_named
from .errors import ProviderError
from .manifest import VariantEntry
from .needs import Wanted
from .shapes import Shapes
from .tuning import Tuning

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = dict[str, NDArray[np.int64]]
    Logits = NDArray[np.float32]

__all__ = ["DEVICES", "PROVIDERS", "Model", "Session", "load_onnxruntime", "open_session"]


@dataclass(frozen=True)
class Model:
    """What a session is opened on: a variant in a bundle's folder, its inputs, and the most subwords they will have."""

    bundle: Path
    variant: VariantEntry
    inputs: tuple[str, ...]
    max_length: int

    @property
    def file(self) -> Path:
        """The variant's ONNX file."""
        return self.bundle / self.variant.file.path


class Session(Protocol):
    """A model that is loaded: what really runs it, by which library, on which batches, and what else to know of it."""

    @property
    def provider(self) -> str:
        """An execution provider of onnxruntime, or TensorRT."""

    @property
    def library(self) -> str:
        """The library that runs it, with its version."""

    @property
    def shapes(self) -> Shapes:
        """The batches it takes."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how it runs."""

    def run(self, feeds: Feeds) -> Logits:
        """The logits (batch, subwords, labels). Raises DeviceError where the run breaks off."""

    def close(self) -> None:
        """Free all that it holds."""


def load_onnxruntime() -> Any:
    """The onnxruntime module. Raises ProviderError with the install line where there is none."""
    # Since 1.32 or earlier (not in 1.23) it sends events to Microsoft, and keeps them in the user's cache until then,
    # unless this is set before the import. We make no network calls.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise ProviderError(f"onnxruntime cannot be loaded: {error}", 'pip install "edgener-runtime[cpu]"') from None
    return onnxruntime


def open_session(model: Model, device: str, tuning: Tuning) -> Session:
    """A variant on `device`, which runs there and nowhere else.

    Raises ProviderError where the variant or this machine cannot run there, BundleError where the file is no model,
    DeviceError where there is too little memory for it.
    """
    place = require_place(model.bundle, model.variant, device)
    return OPENERS[place.opener](model, place, tuning)


def require_place(bundle: Path, variant: VariantEntry, device: str) -> Device:
    """The row of a device for a variant. Raises ProviderError where the variant or this machine cannot run there."""
    place = device_named(device)
    if place.provider not in variant.needs.providers:
        raise ProviderError(
            f"variant {variant.name} runs on {', '.join(variant.needs.providers)}, not on {place.provider}",
            "Choose another variant or another device.",
        )
    require(place, Wanted(bundle, (variant,)))
    return place


def _open_onnxruntime(model: Model, device: Device, tuning: Tuning) -> Session:
    from .ort import OnnxSession

    return OnnxSession(model, device, tuning)


def _open_engine(model: Model, device: Device, tuning: Tuning) -> Session:
    from .tensorrt.direct import open_engine

    return open_engine(model.bundle, model.variant)


OPENERS: dict[str, Callable[[Model, Device, Tuning], Session]] = {
    "onnxruntime": _open_onnxruntime,
    "engine": _open_engine,
}
