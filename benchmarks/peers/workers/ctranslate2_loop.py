"""CTranslate2: the encoder in INT8 or float32, the classifier's head in numpy, around them a plain loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ctranslate2
import numpy as np
from plain_loop import PlainLoop
from protocol import Setting, serve

if TYPE_CHECKING:
    from numpy.typing import NDArray


def load(setting: Setting) -> PlainLoop:
    """The checkpoint as a CTranslate2 encoder and its head."""
    folder = setting.models / "ctranslate2"
    encoder = ctranslate2.Encoder(
        str(folder / "model"),
        device="cpu",
        compute_type=setting.form,
        inter_threads=setting.streams,
        intra_threads=setting.threads,
    )
    head = np.load(folder / "head.npz")
    weight, bias = head["weight"].T.copy(), head["bias"]

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64], types: NDArray[np.int64]) -> NDArray[np.float32]:
        subwords = ctranslate2.StorageView.from_array(ids.astype(np.int32))
        lengths = ctranslate2.StorageView.from_array(mask.sum(axis=1).astype(np.int32))
        output = encoder.forward_batch(subwords, lengths, token_type_ids=types.tolist())
        logits: NDArray[np.float32] = np.asarray(output.last_hidden_state) @ weight + bias
        return logits

    return PlainLoop(setting.checkpoint, run, setting.streams)


if __name__ == "__main__":
    serve(load)
