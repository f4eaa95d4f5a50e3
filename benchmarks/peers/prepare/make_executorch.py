"""make_executorch.py CHECKPOINT FOLDER: a checkpoint in ExecuTorch's form for XNNPACK, INT8 with a range per subword.

Weights are INT8 per output channel. Memory is planned for the largest batch, so the bounds are what the sentences need.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import (
    XnnpackDynamicallyQuantizedPartitioner,
    XnnpackPartitioner,
)
from executorch.exir import to_edge_transform_and_lower
from torchao.quantization import Int8DynamicActivationIntxWeightConfig, PerAxis, quantize_
from transformers import AutoModelForTokenClassification

MOST_TEXTS, MOST_SUBWORDS = 64, 192
checkpoint, folder = map(Path, sys.argv[1:3])
network = AutoModelForTokenClassification.from_pretrained(checkpoint).eval()
quantize_(network, Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int8, weight_granularity=PerAxis(0)))
sizes = {0: torch.export.Dim("texts", max=MOST_TEXTS), 1: torch.export.Dim("subwords", max=MOST_SUBWORDS)}
names = ("input_ids", "attention_mask", "token_type_ids")
example = {name: torch.ones((2, 16), dtype=torch.int64) for name in names}
program = torch.export.export(network, (), example, dynamic_shapes=dict.fromkeys(names, sizes), strict=False)
lowered = to_edge_transform_and_lower(
    program, partitioner=[XnnpackDynamicallyQuantizedPartitioner(), XnnpackPartitioner()]
)
(folder / "int8.pte").write_bytes(lowered.to_executorch().buffer)
