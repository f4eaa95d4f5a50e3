"""One graph run by the onnxruntime of whichever Python starts this: `run_alone.py GRAPH FEEDS OUT [OPTIMIZER ...]`.

FEEDS is an npz of its inputs, OUT an npy of its logits; the optimizers named are switched off.
"""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime


def main(graph: str, feeds: str, out: str, *disabled: str) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(graph, options, providers, disabled_optimizers=list(disabled))
    np.save(out, session.run(["logits"], dict(np.load(feeds)))[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
