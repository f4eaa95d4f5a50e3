"""The options of onnxruntime's providers for a variant; TensorRT's were not run on a device yet.

tests/nvidia compares their names with the libraries of onnxruntime-gpu.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.backends.base import ANY, UNNUMBERED, BatchShapes
from edgener_runtime.errors import BundleError
from edgener_runtime.machine.devices import CUDA, TENSORRT, Device

if TYPE_CHECKING:
    from edgener_runtime.backends.base import Model
    from edgener_runtime.backends.tensorrt.profiles import Profile

GRAPHS = "enable_cuda_graph"
CUDA_OPTIONS = {
    "device_id": "0",
    GRAPHS: "1",
    "use_tf32": "0",  # 10 bits of mantissa would break FP32's promise of PyTorch's own labels
    "arena_extend_strategy": "kSameAsRequested",  # doubling takes memory that a Jetson's CPU cores need too
}
CACHE = "trt_engine_cache_path"
TENSORRT_OPTIONS = {
    "device_id": "0",
    "trt_engine_cache_enable": "1",
    "trt_timing_cache_enable": "1",
    # It would be a model that is in no manifest; --device tensorrt runs prepared engines.
    "trt_dump_ep_context_model": "0",
    "trt_fp16_enable": "0",  # the graph has the precision, and TensorRT 11 has no such flag
    "trt_int8_enable": "0",
}


def provider_options(model: Model, device: Device) -> tuple[BatchShapes, dict[str, str]]:
    """The batches that a session on `device` takes, and its provider's options."""
    if device.provider == TENSORRT:
        return _tensorrt(model)
    return ANY, dict(CUDA_OPTIONS) if device.provider == CUDA else {}


def ragged_shapes(session: Any) -> BatchShapes:
    """The batches of a graph over ragged ones, as its metadata says."""
    unnumbered = session.get_modelmeta().custom_metadata_map.get(UNNUMBERED)
    if unnumbered is not None and not (unnumbered.isascii() and unnumbered.isdecimal()):
        raise BundleError(
            f"the graph's metadata has {unnumbered[:20]!r} for {UNNUMBERED}, expected an id", "Export the bundle again."
        )
    return BatchShapes(ragged=True, unnumbered=None if unnumbered is None else int(unnumbered))


def _tensorrt(model: Model) -> tuple[BatchShapes, dict[str, str]]:
    from edgener_runtime.backends.tensorrt.profiles import profiles_for
    from edgener_runtime.backends.tensorrt.shapes import shapes_of

    profiles = profiles_for([], model.max_length)[-1:]  # one profile for the engine of a graph
    paths = dict.fromkeys((CACHE, "trt_timing_cache_path"), str(cache_folder(model)))
    return shapes_of(profiles), TENSORRT_OPTIONS | paths | profile_options(profiles, model.inputs)


def profile_options(profiles: Sequence[Profile], inputs: Sequence[str]) -> dict[str, str]:
    """The shapes of each input, profile after profile: `input_ids:1x1,attention_mask:1x1,input_ids:8x1,...`."""
    ends = {
        "trt_profile_min_shapes": [profile.minimum for profile in profiles],
        "trt_profile_opt_shapes": [profile.optimum for profile in profiles],
        "trt_profile_max_shapes": [profile.maximum for profile in profiles],
    }
    return {
        option: ",".join(f"{name}:{rows}x{subwords}" for rows, subwords in shapes for name in inputs)
        for option, shapes in ends.items()
    }


def cache_folder(model: Model) -> Path:
    """The folder of onnxruntime's engines, one for each model, onnxruntime, TensorRT, driver and GPU.

    Engines of another combination are never loaded.
    """
    from edgener_runtime.backends.tensorrt.paths import engines_folder
    from edgener_runtime.machine.probe.cuda import cuda_driver

    from .library import load_onnxruntime

    driver = cuda_driver()
    gpu = driver.gpus[0].compute_capability if driver.gpus else "none"
    libraries = f"{load_onnxruntime().__version__}-trt{nvinfer_version()}-cuda{driver.version}"
    return engines_folder(model.bundle) / "onnxruntime" / f"{model.variant.file.sha256[:16]}-{libraries}-sm{gpu}"


def nvinfer_version() -> int:
    """The version of TensorRT that onnxruntime will load, as its library returns it; 0 where there is none."""
    import ctypes

    try:
        return int(ctypes.CDLL("libnvinfer.so.10").getInferLibVersion())  # onnxruntime 1.31 links this one
    except (OSError, AttributeError):
        return 0
