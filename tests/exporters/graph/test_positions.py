"""Buckets of relative positions are exported as tables, and transformers is left as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch

from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.graph.positions import tabulated_buckets

from ..encoders import random_model

pytestmark = pytest.mark.compat

BUCKETED = ("mpnet", "deberta-v2")


@pytest.mark.parametrize("architecture", BUCKETED)
def test_no_logarithm_is_left_to_the_device(
    architecture: str, make_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    export_onnx(make_checkpoint(architecture), tmp_path / "fp32.onnx")
    assert "Log" not in {node.op_type for node in onnx.load(tmp_path / "fp32.onnx").graph.node}


def test_every_distance_has_the_bucket_that_pytorch_computes() -> None:
    from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

    computed = MPNetEncoder.relative_position_bucket
    distances = torch.arange(-140, 141)[None, :]
    expected = computed(distances, num_buckets=32)
    with tabulated_buckets(random_model("mpnet")):
        assert MPNetEncoder.relative_position_bucket is not computed
        assert torch.equal(MPNetEncoder.relative_position_bucket(distances, num_buckets=32), expected)
    assert len(expected.unique()) > 20


def test_transformers_computes_again_afterwards_even_after_an_error() -> None:
    from transformers.models.deberta_v2 import modeling_deberta_v2 as module

    computed = module.make_log_bucket_position
    with pytest.raises(RuntimeError, match="planted"), tabulated_buckets(random_model("deberta-v2")):
        assert module.make_log_bucket_position is not computed
        raise RuntimeError("planted")
    assert module.make_log_bucket_position is computed


def test_a_model_without_buckets_stays_as_it_is() -> None:
    with tabulated_buckets(random_model("bert")):
        pass
