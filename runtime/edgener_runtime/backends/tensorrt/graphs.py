"""CUDA graphs: what a run puts on a stream, written down once and launched in one call from then on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from edgener_runtime.errors import EdgenerError

from .cudart import Cudart


class Graph:
    """A captured run of one shape, to be closed."""

    def __init__(self, cudart: Cudart, executable: int) -> None:
        self._cudart = cudart
        self._executable = executable

    def close(self) -> None:
        """Give it back."""
        self._cudart.destroy_executable(self._executable)

    def launch(self, stream: int) -> None:
        """Put all of it on a stream."""
        self._cudart.launch(self._executable, stream)


def capture(cudart: Cudart, stream: int, enqueue: Callable[[], None]) -> Graph:
    """The graph of what `enqueue` puts on the stream, which is not done.

    The same must have been run before: TensorRT prepares a shape at its first run, which cannot be captured. Raises
    what CUDA or `enqueue` raise; the stream can be used in any case.
    """
    cudart.begin_capture(stream)
    try:
        enqueue()
    except EdgenerError:
        _give_up(cudart, stream)
        raise
    graph = cudart.end_capture(stream)
    with ExitStack() as undo:
        try:
            captured = Graph(cudart, cudart.instantiate(graph))
            undo.callback(captured.close)
        finally:
            cudart.destroy_graph(graph)
        undo.pop_all()
    return captured


def _give_up(cudart: Cudart, stream: int) -> None:
    """End a capture that failed: CUDA says so again, and may have written a graph down or not."""
    try:
        graph = cudart.end_capture(stream)
    except EdgenerError:
        return
    if graph:
        cudart.destroy_graph(graph)
