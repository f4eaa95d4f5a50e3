"""Open a variant on the requested device, or raise an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.errors import ProviderError
from edgener_runtime.machine.devices import Device, device_named
from edgener_runtime.machine.operators import missing_operators

from .base import Model, Session, Tuning
from .choose import require
from .requirements import RunRequest


def open_session(model: Model, device: str, tuning: Tuning) -> Session:
    """A variant on `device`, which runs there and nowhere else.

    Raises ProviderError where the variant or this machine cannot run there, BundleError where the file is not a model,
    DeviceError where there is too little memory.
    """
    row = require_device(model.bundle, model.variant, device)
    return OPENERS[row.opener](model, row, tuning)


def require_device(bundle: Path, variant: VariantEntry, device: str) -> Device:
    """The row of a device for a variant. Raises ProviderError where the variant or this machine cannot run there."""
    row = device_named(device)
    if row.provider not in variant.requirements.providers:
        raise ProviderError(
            f"variant {variant.name} runs on {', '.join(variant.requirements.providers)}, not on {row.provider}",
            "Choose another variant or another device.",
        )
    require(row, RunRequest(bundle, (variant,)))
    if missing := missing_operators(variant.requirements.operators):
        raise ProviderError(f"variant {variant.name} cannot run here: {missing.what}", missing.fix)
    return row


def _open_onnxruntime(model: Model, device: Device, tuning: Tuning) -> Session:
    from edgener_runtime.backends.onnxruntime.session import OnnxSession

    return OnnxSession(model, device, tuning)


def _open_engine(model: Model, device: Device, tuning: Tuning) -> Session:
    from edgener_runtime.backends.tensorrt.session import open_engine

    return open_engine(model.bundle, model.variant)


OPENERS: dict[str, Callable[[Model, Device, Tuning], Session]] = {
    "onnxruntime": _open_onnxruntime,
    "engine": _open_engine,
}
