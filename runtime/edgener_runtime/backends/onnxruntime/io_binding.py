"""Runs of onnxruntime with I/O binding: inputs are copied to the GPU once, and logits to where they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgener_runtime.bundle.graph import OUTPUT

if TYPE_CHECKING:
    from edgener_runtime.backends.base import Feeds, Logits

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16"}


def run_with_io_binding(session: Any, feeds: Feeds, options: Any = None) -> Logits:
    """The logits of a run that copies the inputs directly to the GPU, and the logits directly to the array returned.

    Plain `run` copies both through memory of onnxruntime's own. `options` are onnxruntime's of the run.
    """
    import numpy as np

    labels, dtype = output_of(session)
    logits = np.empty((*next(iter(feeds.values())).shape, labels), dtype=dtype)
    binding = session.io_binding()
    for name, array in feeds.items():
        binding.bind_cpu_input(name, np.ascontiguousarray(array))
    binding.bind_output(OUTPUT, "cpu", 0, logits.dtype.type, logits.shape, logits.ctypes.data)
    session.run_with_iobinding(binding, options)
    return logits.astype(np.float32, copy=False)


def output_of(session: Any) -> tuple[int, str]:
    """The number of labels of a session's logits, and numpy's name of their type."""
    (output,) = [each for each in session.get_outputs() if each.name == OUTPUT]
    return int(output.shape[-1]), _DTYPES[output.type]
