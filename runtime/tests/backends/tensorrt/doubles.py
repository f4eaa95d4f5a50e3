"""Doubles of TensorRT and of CUDA's runtime: no TensorRT, no CUDA, no GPU.

The classes of TensorRT's double have the methods, arguments, properties and members that the real bindings of a version
have (signatures.json, which tests/nvidia generates from them anew and compares), and nothing else. They refuse what
TensorRT's manual forbids: a run without shapes, addresses given before shapes, shapes outside the profile, the capture
of a shape that never ran. What an engine computes is computed by onnxruntime on the CPU, once the stream is waited for.
CUDA's double is cudart_double.c.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
from collections.abc import Callable
from ctypes import c_char, c_char_p, c_int, c_size_t, c_void_p
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgener_runtime.backends.tensorrt.cudart import Cudart
from edgener_runtime.backends.tensorrt.profiles import Profile

HERE = Path(__file__).parent
SIGNATURES: dict[str, Any] = json.loads((HERE / "signatures.json").read_text(encoding="utf-8"))
VERSIONS = tuple(SIGNATURES)
NUMPY = {"INT64": np.int64, "INT32": np.int32, "FLOAT": np.float32, "HALF": np.float16}
_CALL = ctypes.CFUNCTYPE(None, c_int)
KINDS = {"device memory": b"d", "pinned memory": b"h", "stream": b"s", "graph": b"g", "executable graph": b"x"}
Compute = Callable[[dict[str, Any]], Any]


def compile_double(folder: Path) -> Path:
    """The library of cudart_double.c; skips the test where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no C compiler for the double of CUDA's runtime")
    library = folder / "libcudart_double.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, HERE / "cudart_double.c"], check=True)
    return library


class CudaDouble:
    """The double of libcudart, and what it wrote down."""

    def __init__(self, library: Path) -> None:
        self.library = ctypes.CDLL(str(library))
        self.library.double_noted.restype = c_char_p
        self.library.double_enqueue.argtypes = (c_void_p, _CALL, c_int)
        self.library.double_capturing.argtypes = (c_void_p,)
        self.library.double_holds.argtypes = (c_void_p, c_size_t, c_char)
        self.library.double_live.argtypes = (c_char,)
        self.library.double_reset()
        self.cudart = Cudart(self.library)

    @property
    def noted(self) -> list[str]:
        """Every call in order, TensorRT's too."""
        return list(self.library.double_noted().decode().splitlines())

    def note(self, text: str) -> None:
        self.library.double_note(text.encode())

    def fail(self, name: str, before: int = 0, code: int = 700) -> None:
        """The call of a function after so many others answers `code`."""
        self.library.double_fail(name.encode(), before, code)

    def live(self) -> dict[str, int]:
        """What was made and not given back."""
        counts = {name: self.library.double_live(kind) for name, kind in KINDS.items()}
        return {name: count for name, count in counts.items() if count}

    def faults(self) -> list[str]:
        """What no program may do."""
        return [line for line in self.noted if line.startswith("FAULT")]


@dataclass
class Plan:
    """What the double's engine is: its profiles, types and labels, and what computes its logits.

    `refuse` are methods that answer no, or nothing.
    """

    compute: Compute
    profiles: tuple[Profile, ...] = (Profile((1, 1), (1, 32), (1, 64)), Profile((1, 1), (8, 32), (8, 64)))
    inputs: dict[str, str] = field(
        default_factory=lambda: dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), "INT64")
    )
    outputs: dict[str, str] = field(default_factory=lambda: {"logits": "FLOAT"})
    labels: int = 15
    refuse: set[str] = field(default_factory=set)


class TensorrtDouble:
    """The double of the module `tensorrt` in a version; everything that it makes is written down in CUDA's double."""

    def __init__(self, version: str, cuda: CudaDouble, plan: Plan) -> None:
        found = SIGNATURES[version]
        self.__version__, self.__name__ = version, "tensorrt"
        self.cuda, self.plan = cuda, plan
        self.alive: list[str] = []
        self._calls: list[Any] = []
        for name, members in found["enumerations"].items():
            setattr(self, name, SimpleNamespace(**{member: Member(member) for member in members}))
        for name, listed in found["classes"].items():
            setattr(self, name, _class(name, listed, PLAYED.get(name, object), self))

    def put(self, stream: int, work: Callable[[], None]) -> None:
        """Work that is done when the stream is waited for."""
        self._calls.append(_CALL(lambda number: work()))  # C keeps no reference
        self.cuda.library.double_enqueue(stream, self._calls[-1], 0)


@dataclass(frozen=True)
class Member:
    """A member of an enumeration. Its number differs between versions, so it has none here."""

    name: str


def _class(name: str, listed: dict[str, Any], played: type, module: TensorrtDouble) -> type:
    """A class with exactly the listed members; those that `played` has do something, the others say they do not."""
    members: dict[str, Any] = {
        method: _method(name, method, overloads, getattr(played, method, None), module)
        for method, overloads in listed["methods"].items()
        if method != "__init__"
    }
    for each in listed["properties"]:
        members[each] = getattr(played, each, property(_not_played(f"{name}.{each}")))
    used = [each for each in vars(played) if not each.startswith("_") and each not in members]
    assert not used, f"{name} of TensorRT {module.__version__} has no {used}"
    for each in ("__init__", "__del__"):
        if each in vars(played):
            members[each] = vars(played)[each]
    allowed = {*listed["properties"], "trt", "called"}

    def set_attribute(self: Any, attribute: str, value: Any) -> None:
        assert attribute.startswith("_") or attribute in allowed, f"{name} has no {attribute}"
        object.__setattr__(self, attribute, value)

    return type(name, (), {**members, "trt": module, "called": name, "__setattr__": set_attribute})


def _method(owner: str, name: str, overloads: list[list[str]], played: Any, module: TensorrtDouble) -> Any:
    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        module.cuda.note(f"{owner}.{name}{arguments}")
        assert not overloads or any(_takes(each, arguments, named) for each in overloads), f"{owner}.{name}{arguments}"
        if f"{owner}.{name}" in module.plan.refuse:
            self._logger.log(Member("ERROR"), f"{name} as the test wants it")
            return None if name.startswith(("create", "deserialize")) else False
        return (played or _not_played(f"{owner}.{name}"))(self, *arguments, **named)

    return method


def _takes(names: list[str], arguments: tuple[Any, ...], named: dict[str, Any]) -> bool:
    given = [*(name.rstrip("=") for name in names[: len(arguments)]), *named]
    required = [name for name in names if not name.endswith("=")]
    return len(arguments) <= len(names) and {*required} <= {*given} <= {name.rstrip("=") for name in names}


def _not_played(name: str) -> Callable[..., Any]:
    def refuse(*arguments: Any, **named: Any) -> Any:
        raise NotImplementedError(f"the double does not play {name}")

    return refuse


# --- what is played; `trt`, the module, is put on each class


class PlayedRuntime:
    engine_host_code_allowed = False

    def __init__(self: Any, logger: Any) -> None:
        self._logger = logger
        self.trt.alive.append(self.called)

    def __del__(self: Any) -> None:
        self.trt.alive.remove(self.called)

    def deserialize_cuda_engine(self: Any, serialized_engine: bytes) -> Any:
        if not serialized_engine:
            self._logger.log(Member("ERROR"), "the plan is empty")
            return None
        return self.trt.ICudaEngine(self)


class PlayedEngine:
    device_memory_size_v2 = 1000

    def __init__(self: Any, runtime: Any) -> None:
        self._logger = runtime._logger
        self._types = {**self.trt.plan.inputs, **self.trt.plan.outputs}
        self.trt.alive.append(self.called)

    def __del__(self: Any) -> None:
        self.trt.alive.remove(self.called)

    @property
    def num_io_tensors(self: Any) -> int:
        return len(self._types)

    @property
    def num_optimization_profiles(self: Any) -> int:
        return len(self.trt.plan.profiles)

    def get_tensor_name(self: Any, index: int) -> str:
        return list(self._types)[index]

    def get_tensor_mode(self: Any, name: str) -> Any:
        modes = self.trt.TensorIOMode
        return modes.INPUT if name in self.trt.plan.inputs else modes.OUTPUT

    def get_tensor_dtype(self: Any, name: str) -> Any:
        return getattr(self.trt.DataType, self._types[name])

    def get_tensor_shape(self: Any, name: str) -> tuple[int, ...]:
        return (-1, -1) if name in self.trt.plan.inputs else (-1, -1, self.trt.plan.labels)

    def get_tensor_profile_shape(self: Any, name: str, profile_index: int) -> list[tuple[int, int]]:
        profile = self.trt.plan.profiles[profile_index]
        return [profile.minimum, profile.optimum, profile.maximum]

    def create_execution_context(self: Any, strategy: Any) -> Any:
        assert strategy is self.trt.ExecutionContextAllocationStrategy.USER_MANAGED
        return self.trt.IExecutionContext(self)


class PlayedContext:
    def __init__(self: Any, engine: Any) -> None:
        self._logger = engine._logger
        self._memory: tuple[int, int] = (0, 0)
        self._profile: Profile | None = None
        self._shapes: dict[str, tuple[int, int]] = {}
        self._addresses: dict[str, int] = {}
        self._ran: set[Any] = set()
        self.trt.alive.append(self.called)

    def __del__(self: Any) -> None:
        assert "ICudaEngine" in self.trt.alive, "the engine was gone before its context"
        self.trt.alive.remove(self.called)

    def set_device_memory(self: Any, memory: int, size: int) -> None:
        self._memory = (memory, size)

    def set_optimization_profile_async(self: Any, profile_index: int, stream_handle: int) -> bool:
        self._profile = self.trt.plan.profiles[profile_index]
        self._shapes.clear()
        self._addresses.clear()
        return True

    def set_input_shape(self: Any, name: str, shape: tuple[int, int]) -> bool:
        if self._profile is None or not self._profile.takes(*shape):
            self._logger.log(Member("ERROR"), f"{name} {shape} is not in the profile")
            return False
        self._shapes[name] = shape
        self._addresses.clear()  # so that addresses from before a shape count for nothing
        return True

    def set_tensor_address(self: Any, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def execute_async_v3(self: Any, stream_handle: int) -> bool:
        plan, cuda = self.trt.plan, self.trt.cuda
        fault = _fault(self, plan, cuda, stream_handle)
        if fault:
            self._logger.log(Member("ERROR"), fault)
            return False
        shape, addresses = self._shapes["input_ids"], dict(self._addresses)
        self._ran.add(shape)
        self.trt.put(stream_handle, lambda: _compute(plan, shape, addresses))
        return True


def _fault(context: Any, plan: Plan, cuda: CudaDouble, stream: int) -> str:
    """What TensorRT's manual wants before a run and is not there."""
    if set(context._shapes) != set(plan.inputs):
        return "an input has no shape"
    if set(context._addresses) != {*plan.inputs, *plan.outputs}:
        return "a tensor has no address since its shape was set"
    if not cuda.library.double_holds(*context._memory, b"d"):
        return "there is no device memory for activations"
    shape = context._shapes["input_ids"]
    sizes = {name: shape[0] * shape[1] * np.dtype(NUMPY[kind]).itemsize for name, kind in plan.inputs.items()}
    if not all(cuda.library.double_holds(context._addresses[name], size, b"d") for name, size in sizes.items()):
        return "an address is not device memory of that size"
    if cuda.library.double_capturing(stream) and shape not in context._ran:
        return "a shape that never ran cannot be captured"
    return ""


def _compute(plan: Plan, shape: tuple[int, int], addresses: dict[str, int]) -> None:
    """Read the inputs and write the logits, as the engine does when its turn on the stream comes."""
    feeds = {name: _array(addresses[name], kind, shape).astype(np.int64) for name, kind in plan.inputs.items()}
    for name, kind in plan.outputs.items():
        _array(addresses[name], kind, (*shape, plan.labels))[:] = plan.compute(feeds)


def _array(address: int, kind: str, shape: tuple[int, ...]) -> Any:
    dtype = np.dtype(NUMPY[kind])
    memory: Any = (c_char * (int(np.prod(shape)) * dtype.itemsize)).from_address(address)
    return np.frombuffer(memory, dtype).reshape(shape)


PLAYED: dict[str, type] = {"Runtime": PlayedRuntime, "ICudaEngine": PlayedEngine, "IExecutionContext": PlayedContext}
