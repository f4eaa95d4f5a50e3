"""Plain onnxruntime with its defaults in a plain loop: the bundle's graphs, or the INT8 one that optimum made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnxruntime
from plain_loop import PlainLoop
from protocol import Setting, serve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def load(setting: Setting) -> PlainLoop:
    """A graph: a variant of the bundle by its name, or optimum's own INT8."""
    made = {"optimum-int8": setting.models / "optimum" / "model_quantized.onnx"}
    file = made.get(setting.form, setting.bundle / "variants" / f"{setting.form}.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setting.threads
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64], types: NDArray[np.int64]) -> NDArray[np.float32]:
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        logits: NDArray[np.float32] = session.run(["logits"], feeds)[0]
        return logits

    return PlainLoop(setting.checkpoint, run)


if __name__ == "__main__":
    serve(load)
