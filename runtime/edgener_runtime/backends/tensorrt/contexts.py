"""Execution contexts of an engine: one per profile, and one with a CUDA graph per shape that is warmed up.

TensorRT lets contexts share a profile since 10.0.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgener_runtime.errors import DeviceError, EdgenerError

from .buffers import Buffer
from .cudart import Cudart
from .graphs import Graph, capture
from .profiles import Shape


@dataclass(frozen=True)
class EngineResources:
    """What all contexts of an engine share: they run one after the other on one stream.

    `scratch` is the address and size of the device memory for activations; `messages` are TensorRT's latest.
    """

    trt: Any
    engine: Any
    cudart: Cudart
    stream: int
    scratch: tuple[int, int]
    inputs: dict[str, Buffer]
    output: str
    logits: Buffer
    labels: int
    messages: Any


class EngineContext:
    """An execution context, to be closed. Not for two threads at once."""

    def __init__(self, resources: EngineResources) -> None:
        self._resources = resources
        self._shape: Shape | None = None
        self.graph: Graph | None = None
        # with memory of its own, each context would take that of the largest shape
        strategy = resources.trt.ExecutionContextAllocationStrategy.USER_MANAGED
        self._context = resources.engine.create_execution_context(strategy)
        if self._context is None:
            raise DeviceError(
                f"TensorRT makes no execution context: {last_messages(resources.messages)}", "Free some memory."
            )

    def use_profile(self, profile: int) -> None:
        """Select a profile, before any shape."""
        resources = self._resources
        self._context.set_device_memory(*resources.scratch)
        with synchronized(resources):
            done = self._context.set_optimization_profile_async(profile, resources.stream)
            self._require(done, f"select profile {profile}")

    def set_shape(self, shape: Shape) -> None:
        """Set the shape, then the addresses: the shape decides how much is read and written there."""
        if shape == self._shape:
            return
        self._shape = None
        for name in self._resources.inputs:
            self._require(self._context.set_input_shape(name, shape), f"take shape {shape} for {name}")
        addresses = {name: buffer.device for name, buffer in self._resources.inputs.items()}
        for name, address in {**addresses, self._resources.output: self._resources.logits.device}.items():
            self._require(self._context.set_tensor_address(name, address), f"take an address for {name}")
        self._shape = shape

    def enqueue(self) -> None:
        """Put a run of the shape on the stream: copies of the inputs, the engine, and the copy of the logits."""
        if self.graph:
            self.graph.launch(self._resources.stream)
        else:
            self._enqueue()

    def warm_up(self, shape: Shape) -> str | None:
        """Run a shape once and capture it; the reason where it cannot be captured and runs without a graph."""
        self.set_shape(shape)
        with synchronized(self._resources):
            self.enqueue()
        try:
            self.capture()
        except EdgenerError as error:
            return error.message
        return None

    def capture(self) -> None:
        """Launch in one call from now on. The shape must have run before, and must not change afterwards."""
        self.graph = capture(self._resources.cudart, self._resources.stream, self._enqueue)

    def _enqueue(self) -> None:
        resources = self._resources
        rows, subwords = self._shape or (0, 0)
        for buffer in resources.inputs.values():
            buffer.to_device(rows * subwords, resources.stream)
        self._require(self._context.execute_async_v3(resources.stream), "run")
        resources.logits.to_host(rows * subwords * resources.labels, resources.stream)

    def _require(self, done: bool, what: str) -> None:
        if not done:
            reason = last_messages(self._resources.messages)
            raise DeviceError(f"TensorRT did not {what}: {reason}", "Build the engine again on this device.")

    def close(self) -> None:
        """Free the context and the graph, the graph first."""
        graph, self.graph = self.graph, None
        try:
            if graph:
                graph.close()
        finally:
            self._context = None


def last_messages(messages: Any) -> str:
    """What TensorRT logged last: its functions return no more than yes or no."""
    return "; ".join(messages) or "it gives no reason"


@contextlib.contextmanager
def synchronized(resources: EngineResources) -> Iterator[None]:
    """Wait for the stream in the end, also after an error: what is on it still reads and writes the buffers."""
    try:
        yield
    except EdgenerError:
        with contextlib.suppress(EdgenerError):
            resources.cudart.synchronise(resources.stream)
        raise
    resources.cudart.synchronise(resources.stream)
