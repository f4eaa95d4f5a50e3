"""Execution contexts of an engine: one for each profile, and one with its graph for each shape that comes often.

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
class Rails:
    """What all contexts of an engine share, as they run one after the other on one stream.

    `scratch` is the device memory for activations, its address and size; `said` what TensorRT logged last.
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
    said: Any


class Lane:
    """An execution context, to be closed. Not to be used by two threads at once."""

    def __init__(self, rails: Rails) -> None:
        self._rails = rails
        self._shape: Shape | None = None
        self.graph: Graph | None = None
        # memory of its own for each context would be that of the largest shape, many times over
        strategy = rails.trt.ExecutionContextAllocationStrategy.USER_MANAGED
        self._context = rails.engine.create_execution_context(strategy)
        if self._context is None:
            raise DeviceError(f"TensorRT makes no execution context: {told(rails)}", "Free some memory.")

    def enter(self, profile: int) -> None:
        """Take up a profile, before any shape."""
        rails = self._rails
        self._context.set_device_memory(*rails.scratch)
        with settled(rails):
            took = self._context.set_optimization_profile_async(profile, rails.stream)
            self._must(took, f"take up profile {profile}")

    def take(self, shape: Shape) -> None:
        """Be ready for a shape: shapes come before addresses, as they decide how much is read and written there."""
        if shape == self._shape:
            return
        self._shape = None
        for name in self._rails.inputs:
            self._must(self._context.set_input_shape(name, shape), f"take shape {shape} for {name}")
        addresses = {name: buffer.device for name, buffer in self._rails.inputs.items()}
        for name, address in {**addresses, self._rails.output: self._rails.logits.device}.items():
            self._must(self._context.set_tensor_address(name, address), f"take an address for {name}")
        self._shape = shape

    def put(self) -> None:
        """Put a run of the shape that was taken on the stream: its inputs, the engine, and the logits' way back."""
        if self.graph:
            self.graph.launch(self._rails.stream)
        else:
            self._enqueue()

    def capture(self) -> None:
        """Launch in one call from now on. The shape must have run before, and no other may be taken afterwards."""
        self.graph = capture(self._rails.cudart, self._rails.stream, self._enqueue)

    def _enqueue(self) -> None:
        rails = self._rails
        rows, subwords = self._shape or (0, 0)
        for buffer in rails.inputs.values():
            buffer.to_device(rows * subwords, rails.stream)
        self._must(self._context.execute_async_v3(rails.stream), "run")
        rails.logits.to_host(rows * subwords * rails.labels, rails.stream)

    def _must(self, went: bool, what: str) -> None:
        if not went:
            raise DeviceError(f"TensorRT did not {what}: {told(self._rails)}", "Build the engine again on this device.")

    def close(self) -> None:
        """Give the context and the graph back, the graph first."""
        graph, self.graph = self.graph, None
        try:
            if graph:
                graph.close()
        finally:
            self._context = None


def told(rails: Rails) -> str:
    """What TensorRT logged last, as its functions say no more than yes or no."""
    return "; ".join(rails.said) or "it gives no reason"


@contextlib.contextmanager
def settled(rails: Rails) -> Iterator[None]:
    """Wait for the stream in the end, also after a fault: what was put on it still reads and writes the buffers."""
    try:
        yield
    except EdgenerError:
        with contextlib.suppress(EdgenerError):
            rails.cudart.synchronise(rails.stream)
        raise
    rails.cudart.synchronise(rails.stream)


def heat(lane: Lane, rails: Rails, shape: Shape) -> str | None:
    """Run a shape once and capture it; where it cannot be captured it runs without a graph, and the reason is told."""
    lane.take(shape)
    with settled(rails):
        lane.put()
    try:
        lane.capture()
    except EdgenerError as error:
        return error.message
    return None
