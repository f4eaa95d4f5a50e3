"""LiteRT with XNNPACK in a plain loop: one text a run, padded to the next length that the model has a signature for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from plain_loop import PlainLoop
from protocol import Setting, serve

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def load(setting: Setting) -> PlainLoop:
    """The checkpoint as a LiteRT model."""
    interpreter = Interpreter(str(setting.models / "litert" / "int8.tflite"), num_threads=setting.threads)
    lengths = sorted(int(name.rpartition("_")[2]) for name in interpreter.get_signature_list())
    runners = {length: interpreter.get_signature_runner(f"subwords_{length}") for length in lengths}

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64], types: NDArray[np.int64]) -> NDArray[np.float32]:
        longest = ids.shape[1]
        length = next(length for length in lengths if length >= longest)
        padded = np.zeros((3, len(ids), length), dtype=np.int32)
        padded[:, :, :longest] = ids, mask, types
        feeds = dict(zip(INPUTS, padded, strict=True))
        (logits,) = runners[length](**feeds).values()
        found: NDArray[np.float32] = logits[:, :longest]
        return found

    return PlainLoop(setting.checkpoint, run)


if __name__ == "__main__":
    serve(load)
