"""ExecuTorch with XNNPACK in a plain loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
from executorch.runtime import Runtime
from plain_loop import PlainLoop
from protocol import Setting, serve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def load(setting: Setting) -> PlainLoop:
    """The checkpoint as an ExecuTorch program."""
    torch.set_num_threads(setting.threads)
    _unsafe_reset_threadpool(setting.threads)  # it has no other way
    program = Runtime.get().load_program(setting.models / "executorch" / "int8.pte")
    method = program.load_method("forward")
    if method is None:
        raise ValueError("the program has no method forward")

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64], types: NDArray[np.int64]) -> NDArray[np.float32]:
        (logits,) = method.execute([torch.from_numpy(array) for array in (ids, mask, types)])
        found: NDArray[np.float32] = logits.numpy()
        return found

    return PlainLoop(setting.checkpoint, run)


if __name__ == "__main__":
    serve(load)
