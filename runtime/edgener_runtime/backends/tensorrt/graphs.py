"""CUDA graphs: the work of a run, captured once and then launched in one call."""

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
        """Free the graph."""
        self._cudart.destroy_executable(self._executable)

    def launch(self, stream: int) -> None:
        """Enqueue the whole run on a stream."""
        self._cudart.launch(self._executable, stream)


def capture(cudart: Cudart, stream: int, enqueue: Callable[[], None]) -> Graph:
    """The graph of what `enqueue` puts on the stream, which is recorded and not done.

    The same work must have run before: TensorRT prepares a shape at its first run, which cannot be captured. Raises
    what CUDA or `enqueue` raise; the stream stays usable.
    """
    cudart.begin_capture(stream)
    try:
        enqueue()
    except EdgenerError:
        _end_failed_capture(cudart, stream)
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


def _end_failed_capture(cudart: Cudart, stream: int) -> None:
    """End a capture that failed: CUDA reports the failure again, and may have recorded a graph."""
    try:
        graph = cudart.end_capture(stream)
    except EdgenerError:
        return
    if graph:
        cudart.destroy_graph(graph)
