"""Runs of onnxruntime on memory that is bound: what goes to a GPU is copied once, and what comes back is read there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgener_runtime.backends.base import Feeds, Logits

OUTPUT = "logits"
_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16"}


def run_bound(session: Any, feeds: Feeds, options: Any = None) -> Logits:
    """The logits of a run whose inputs go to the GPU from where they are, and whose logits come to where they are read.

    With plain `run` onnxruntime would bring them into memory of its own first, and copy them from there. `options` are
    onnxruntime's of the run.
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
    """How many labels a session scores, and numpy's name of the numbers that it does so in."""
    (output,) = [each for each in session.get_outputs() if each.name == OUTPUT]
    return int(output.shape[-1]), _DTYPES[output.type]
