"""LiteRT with XNNPACK in a plain loop: one text or up to eight, padded to the next shape that the model has."""

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
    shapes = sorted(tuple(map(int, name.split("_")[-2:])) for name in interpreter.get_signature_list())
    runners = {shape: interpreter.get_signature_runner("shape_{}_{}".format(*shape)) for shape in shapes}

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64], types: NDArray[np.int64]) -> NDArray[np.float32]:
        texts, longest = ids.shape
        shape = next(shape for shape in shapes if shape[0] >= texts and shape[1] >= longest)
        padded = np.zeros((3, *shape), dtype=np.int32)
        padded[1, texts:, 0] = 1  # a text that is not there attends to its first subword, as no text attends to nothing
        padded[:, :texts, :longest] = ids, mask, types
        feeds = dict(zip(INPUTS, padded, strict=True))
        (logits,) = runners[shape](**feeds).values()
        found: NDArray[np.float32] = logits[:texts, :longest]
        return found

    return PlainLoop(setting.checkpoint, run)


if __name__ == "__main__":
    serve(load)
