"""PyTorch with a plain loop instead of transformers' pipeline, FP32 or bfloat16 autocast: the least that it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from plain_loop import PlainLoop
from protocol import Setting, serve
from transformers import AutoModelForTokenClassification

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def load(setting: Setting) -> PlainLoop:
    """The checkpoint in PyTorch."""
    torch.set_num_threads(setting.threads)
    model = AutoModelForTokenClassification.from_pretrained(setting.checkpoint).eval()

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64], types: NDArray[np.int64]) -> NDArray[np.float32]:
        tensors = (torch.from_numpy(array) for array in (ids, mask, types))
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=setting.form == "bf16"):
            logits: NDArray[np.float32] = model(*tensors).logits.float().numpy()
        return logits

    return PlainLoop(setting.checkpoint, run)


if __name__ == "__main__":
    serve(load)
