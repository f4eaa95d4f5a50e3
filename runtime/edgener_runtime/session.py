"""An onnxruntime session on the device that was asked for, or an error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import BundleError, DeviceError, ProviderError, UserInputError
from .manifest import VariantEntry
from .memory import require_memory
from .tuning import Tuning

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Device to execution provider. CUDA: not run on a device yet.
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
DEVICES = ("auto", *PROVIDERS)
_INSTALL = {
    "CPUExecutionProvider": 'pip install "edgener-runtime[cpu]"',
    "CUDAExecutionProvider": 'pip uninstall onnxruntime && pip install "edgener-runtime[cuda]"',
}
_COPIES = 2  # of a model in memory while it is loaded: the file's and the one laid out for this CPU


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


def pick_device(device: str) -> tuple[str, str]:
    """`cpu` or `cuda`, and why; `auto` is CUDA where this onnxruntime was built for it and a driver answers."""
    if device not in DEVICES:
        raise UserInputError(f"there is no device {device!r}", f"Choose one of: {', '.join(DEVICES)}")
    if device != "auto":
        return device, "device as asked for"
    if PROVIDERS["cuda"] not in load_onnxruntime().get_available_providers():
        return "cpu", "device: cpu, as this onnxruntime was built without CUDA"
    if not _cuda_driver_answers():
        return "cpu", "device: cpu, as no CUDA driver answers"
    return "cuda", "device: cuda, as a driver answers"


def open_session(file: Path, variant: VariantEntry, device: str, tuning: Tuning) -> Any:
    """An onnxruntime.InferenceSession of a variant on `device`.

    Raises ProviderError where the variant or this machine cannot run there, BundleError where the file is no model,
    DeviceError where there is too little memory for it.
    """
    provider = PROVIDERS[device]
    if provider not in variant.needs.providers:
        raise ProviderError(
            f"variant {variant.name} runs on {', '.join(variant.needs.providers)}, not on {provider}",
            "Choose another variant or another device.",
        )
    onnxruntime = load_onnxruntime()
    if provider not in onnxruntime.get_available_providers():
        raise ProviderError(f"this onnxruntime was built without {provider}", _INSTALL[provider])
    session = _create(onnxruntime, file, variant, provider, tuning)
    if session.get_providers()[0] != provider:  # onnxruntime falls back to the CPU with no more than a log line
        raise ProviderError(
            f"{provider} was asked for, {session.get_providers()[0]} came up: its libraries or the driver are missing",
            "Check the driver (nvidia-smi) and the CUDA and cuDNN libraries, or ask for --device cpu.",
        )
    return session


def run_session(session: Any, feeds: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
    """The logits (batch, sequence, labels) of a session. Raises DeviceError where the run breaks off."""
    try:
        logits: NDArray[np.float32] = session.run(["logits"], feeds)[0]
    except Exception as error:  # onnxruntime raises a class of its own for every status
        raise DeviceError(
            f"onnxruntime broke off: {error}", "Free some memory, or try another variant or device."
        ) from error
    return logits


def _create(onnxruntime: Any, file: Path, variant: VariantEntry, provider: str, tuning: Tuning) -> Any:
    require_memory(_COPIES * variant.file.size, f"loading {file}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = tuning.threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(tuning.spinning)))
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            str(file), options, providers=[provider], disabled_optimizers=list(variant.disabled_optimizers)
        )
    except Exception as error:  # onnxruntime raises a class of its own for every status
        if "bad_alloc" in str(error) or "Failed to allocate memory" in str(error):
            raise DeviceError(
                f"there is not enough memory to load {file}", "Free some memory, or try a smaller variant."
            ) from None
        raise BundleError(
            f"onnxruntime {onnxruntime.__version__} cannot load {file}: {error}",
            f"It needs onnxruntime {variant.needs.onnxruntime} or newer; else export the bundle again.",
        ) from error


def _cuda_driver_answers() -> bool:
    import ctypes

    try:
        return bool(ctypes.CDLL("libcuda.so.1").cuInit(0) == 0)
    except OSError:
        return False
