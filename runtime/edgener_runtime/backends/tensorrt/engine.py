"""Loading of an engine into TensorRT, and its input and output tensors."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Any

from edgener_runtime.errors import BundleError, ProviderError

from .backend import make
from .logger import make_logger
from .profiles import Profile, Shape

OUTPUT = "logits"
# TensorRT's types for which numpy has one.
_DTYPES = {"INT64": "int64", "INT32": "int32", "FLOAT": "float32", "HALF": "float16"}
_MESSAGES = 5  # of TensorRT's, kept for an error


@dataclass(frozen=True)
class EngineTensors:
    """An engine's profiles, the types of its inputs by name, the type of its logits, and their number of labels."""

    profiles: tuple[Profile, ...]
    inputs: dict[str, str]
    output: str
    labels: int

    @property
    def most_subwords(self) -> int:
        """The padded subwords of the largest batch."""
        return max(profile.maximum[0] * profile.maximum[1] for profile in self.profiles)


@cache
def logger_of(trt: Any) -> tuple[Any, deque[str]]:
    """The one logger of a process, and its latest messages."""
    messages: deque[str] = deque(maxlen=_MESSAGES)
    return make_logger(trt, lambda event: messages.append(str(event["message"]))), messages


def load_engine(trt: Any, plan: bytes, rebuild: str, host_code: bool = False) -> tuple[Any, Any]:
    """TensorRT's runtime and the engine. Raises ProviderError with the command `rebuild` where it refuses the plan.

    A version-compatible engine contains host code, which runs only where `host_code` is true.
    """
    logger, messages = logger_of(trt)
    messages.clear()
    runtime = make(trt.Runtime, logger)
    if host_code:
        runtime.engine_host_code_allowed = True
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise ProviderError(f"TensorRT cannot load the engine: {'; '.join(messages) or 'it gives no reason'}", rebuild)
    return runtime, engine


def engine_tensors(trt: Any, engine: Any, rebuild: str) -> EngineTensors:
    """The tensors of an engine. Raises BundleError where it is not a token classifier's."""
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    outputs = [name for name in names if name not in inputs]
    shape = tuple(engine.get_tensor_shape(OUTPUT)) if outputs == [OUTPUT] else ()
    if not inputs or len(shape) != 3 or shape[-1] < 1:
        raise BundleError(
            f"the engine gives {', '.join(outputs)} {shape or ''}, expected {OUTPUT} (batch, subwords, labels)", rebuild
        )
    profiles = tuple(_profile(engine, inputs[0], number) for number in range(engine.num_optimization_profiles))
    dtypes = {name: _dtype(engine, name, rebuild) for name in names}
    return EngineTensors(profiles, {name: dtypes[name] for name in inputs}, dtypes[OUTPUT], shape[-1])


def _profile(engine: Any, name: str, number: int) -> Profile:
    """Of any input, as all have the same shape."""
    minimum, optimum, maximum = (_shape(dims) for dims in engine.get_tensor_profile_shape(name, number))
    return Profile(minimum, optimum, maximum)


def _shape(dims: Any) -> Shape:
    rows, subwords = dims
    return int(rows), int(subwords)


def _dtype(engine: Any, name: str, rebuild: str) -> str:
    found = engine.get_tensor_dtype(name).name
    if found not in _DTYPES:
        raise BundleError(f"the engine's {name} is {found}, expected one of {', '.join(_DTYPES)}", rebuild)
    return _DTYPES[found]
