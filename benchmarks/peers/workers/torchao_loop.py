"""torchao's INT8 with a range per subword, compiled by PyTorch, in a plain loop; needs a C++ compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from plain_loop import PlainLoop
from protocol import Setting, serve
from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_
from transformers import AutoModelForTokenClassification

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def load(setting: Setting) -> PlainLoop:
    """The checkpoint, quantised and compiled for any shape."""
    torch.set_num_threads(setting.threads)
    network = AutoModelForTokenClassification.from_pretrained(setting.checkpoint).eval()
    quantize_(network, Int8DynamicActivationInt8WeightConfig())
    compiled = torch.compile(network, dynamic=True, options={"freezing": True})

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64], types: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.no_grad():  # freezing asks for it
            logits = compiled(*(torch.from_numpy(array) for array in (ids, mask, types))).logits
        found: NDArray[np.float32] = logits.numpy()
        return found

    return PlainLoop(setting.checkpoint, run)


if __name__ == "__main__":
    serve(load)
