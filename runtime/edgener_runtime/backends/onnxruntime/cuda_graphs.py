"""CUDA graphs of onnxruntime: the work of a single text on the GPU, captured at the start and launched in one call.

A short text takes the GPU little time, and the CPU much to launch hundreds of kernels; a graph is one launch.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from edgener_runtime.backends.base import LENGTHS
from edgener_runtime.bundle.graph import OUTPUT

from .io_binding import output_of, run_with_io_binding

if TYPE_CHECKING:
    from edgener_runtime.backends.base import Feeds, Logits

REFUSED = "cannot use the graph capture feature"  # onnxruntime's message for a model with nodes on the CPU
_GRAPH = "gpu_graph_id"
_NO_GRAPH = "-1"
_RUNS = 2  # onnxruntime captures the second run of a graph's number


class GraphedRuns:
    """Runs of a session that was opened with `enable_cuda_graph`: a single text by the graph of the next longer length,
    any other batch without a graph.

    All runs use one thread: onnxruntime keeps a graph for the thread that captured it, and its runs share memory.
    `device` is onnxruntime's name of the memory that holds inputs and logits.
    """

    def __init__(
        self, onnxruntime: Any, session: Any, inputs: Sequence[str], longest: int, device: str = "cuda"
    ) -> None:
        self._session = session
        self._without = _options(onnxruntime, _NO_GRAPH)
        self._thread = ThreadPoolExecutor(1, "edgener-cuda")
        self.lengths = (*(length for length in LENGTHS if length < longest), longest)
        self._graphs: list[_Graph] = self._thread.submit(
            lambda: [
                _Graph(onnxruntime, session, inputs, length, number, device)
                for number, length in enumerate(self.lengths, 1)
            ]
        ).result()

    def run(self, feeds: Feeds) -> Logits:
        """The logits (rows, subwords, labels) of a batch. Raises what onnxruntime raises."""
        return self._thread.submit(self._run, feeds).result()

    def _run(self, feeds: Feeds) -> Logits:
        rows, subwords = next(iter(feeds.values())).shape
        if rows == 1:
            for graph in self._graphs:
                if graph.length >= subwords:
                    return graph.run(feeds, subwords)
        return run_with_io_binding(self._session, feeds, self._without)

    def close(self) -> None:
        """End the thread, and free the memory of the graphs."""
        self._thread.shutdown()
        self._graphs.clear()


class _Graph:
    """The graph of one row of `length` subwords, with the memory on the device that it reads and writes."""

    def __init__(
        self, onnxruntime: Any, session: Any, inputs: Sequence[str], length: int, number: int, device: str
    ) -> None:
        import numpy as np

        labels, dtype = output_of(session)
        make = onnxruntime.OrtValue
        self.length = length
        self._session = session
        self._padded = {name: np.zeros((1, length), dtype=np.int64) for name in inputs}
        self._inputs = {name: make.ortvalue_from_numpy(array, device) for name, array in self._padded.items()}
        self._logits = make.ortvalue_from_shape_and_type((1, length, labels), np.dtype(dtype).type, device)
        self._options = _options(onnxruntime, str(number))
        self._binding = session.io_binding()
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        self._binding.bind_ortvalue_output(OUTPUT, self._logits)
        for _ in range(_RUNS):
            session.run_with_iobinding(self._binding, self._options)

    def run(self, feeds: Feeds, subwords: int) -> Logits:
        """The logits (1, subwords, labels); padding is masked."""
        import numpy as np

        for name, value in self._inputs.items():
            padded = self._padded[name]
            padded[:, :subwords] = feeds[name]
            padded[:, subwords:] = 0
            value.update_inplace(padded)
        self._session.run_with_iobinding(self._binding, self._options)
        return np.array(self._logits.numpy()[:, :subwords], dtype=np.float32)


def _options(onnxruntime: Any, graph: str) -> Any:
    options = onnxruntime.RunOptions()
    options.add_run_config_entry(_GRAPH, graph)
    return options
