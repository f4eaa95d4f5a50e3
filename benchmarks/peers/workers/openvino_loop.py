"""OpenVINO on the CPU in a plain loop: FP32, its own default (bfloat16 where the CPU has it), or INT8 by NNCF."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import openvino
from plain_loop import PlainLoop
from protocol import Setting, serve

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMS = {
    "fp32": ("fp32.xml", {"INFERENCE_PRECISION_HINT": "f32"}),
    "default": ("fp32.xml", {}),
    "int8": ("int8.xml", {}),
    # one range for so many numbers of a row of activations
    "weights-384": ("weights.xml", {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 384}),
    "weights-32": ("weights.xml", {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 32}),
}


def load(setting: Setting) -> PlainLoop:
    """The checkpoint as an OpenVINO model."""
    file, precision = FORMS[setting.form]
    cores = {"INFERENCE_NUM_THREADS": setting.threads * setting.streams, "NUM_STREAMS": setting.streams}
    compiled = openvino.Core().compile_model(setting.models / "openvino" / file, "CPU", cores | precision)
    requests = threading.local()

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64], types: NDArray[np.int64]) -> NDArray[np.float32]:
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        if not hasattr(requests, "own"):  # a request serves one thread at a time
            requests.own = compiled.create_infer_request()
        logits: NDArray[np.float32] = requests.own.infer(feeds, share_inputs=True, share_outputs=True)[0]
        return logits

    return PlainLoop(setting.checkpoint, run, setting.streams)


if __name__ == "__main__":
    serve(load)
