"""Engines for GPUs that are not in this machine: TensorRT for RTX builds them, TensorRT does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgener_runtime.errors import ProviderError


def target_capabilities(trt: Any, config: Any, capabilities: Sequence[str]) -> None:
    """Set a configuration's compute capabilities, such as `8.6`. Raises ProviderError for an unknown one."""
    known = [_known(trt, capability) for capability in capabilities]
    config.num_compute_capabilities = len(known)
    for index, capability in enumerate(known):
        if not config.set_compute_capability(capability, index):
            raise _unknown(trt, capabilities[index])


def _known(trt: Any, capability: str) -> Any:
    members = trt.ComputeCapability.__members__
    if (name := f"SM{capability.replace('.', '')}") not in members:
        raise _unknown(trt, capability)
    return members[name]


def _unknown(trt: Any, capability: str) -> ProviderError:
    numbers = [name[2:] for name in trt.ComputeCapability.__members__ if name.startswith("SM")]
    return ProviderError(
        f"{trt.__name__} {trt.__version__} does not build for compute capability {capability!r}",
        f"It builds for {', '.join(f'{number[:-1]}.{number[-1]}' for number in numbers)}; for another GPU build on the "
        "device itself: edgener-runtime prepare",
    )
