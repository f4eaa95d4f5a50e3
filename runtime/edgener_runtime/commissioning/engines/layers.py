"""The layers of a finished engine, from TensorRT's inspector; not run on a device yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgener_runtime.backends.tensorrt.backend import make
from edgener_runtime.base.files import write_atomic
from edgener_runtime.errors import ProviderError


def dump_layers(trt: Any, logger: Any, plan: Any, file: Path) -> None:
    """Load an engine on the GPU it was built for, and write its layers as JSON. Raises ProviderError if that fails."""
    runtime = make(trt.Runtime, logger)
    runtime.engine_host_code_allowed = True  # a version-compatible one contains code, which we built ourselves
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise ProviderError(
            "the engine was built and cannot be loaded on this GPU",
            "See what this machine has: edgener-runtime devices",
        )
    inspector = engine.create_engine_inspector()
    write_atomic(file, inspector.get_engine_information(trt.LayerInformationFormat.JSON))
