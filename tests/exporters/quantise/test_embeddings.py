"""Embeddings in INT8: large tables only, a scale a row, and every lookup near the table's own row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgener_exporters.graph.graph import rewrite, weights_of
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.graph.roles import find_embeddings
from edgener_exporters.graph.weights import quantize_embedding
from edgener_exporters.variants import VARIANTS
from edgener_runtime.machine.devices import CPU

from ..conftest import Encoder
from ..running import session_of
from ..test_builders import BUILT


def lookup(table: Any) -> onnx.ModelProto:
    """logits = table[ids]"""
    node = helper.make_node("Gather", ["table", "ids"], ["logits"], "lookup")
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", table.shape[1]])
    graph = helper.make_graph([node], "lookup", [ids], [out], [numpy_helper.from_array(table, "table")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def table_of(rows: int, seed: int = 0) -> Any:
    """Rows of very different sizes, one of them zeros, as padding's is."""
    random = np.random.default_rng(seed)
    table = random.standard_normal((rows, 32)) * 10.0 ** random.integers(-4, 4, (rows, 1))
    table[3] = 0
    return table.astype(np.float32)


def test_every_lookup_is_off_by_half_a_step_of_its_own_row() -> None:
    table = table_of(1000)
    model = lookup(table)
    rewrite(model, quantize_embedding(find_embeddings(model)[0], weights_of(model)))
    onnx.checker.check_model(model, full_check=True)
    ids = np.random.default_rng(1).permutation(1000)
    found = session_of(model).run(["logits"], {"ids": ids})[0]
    steps = np.abs(table[ids]).max(axis=1, keepdims=True) / 127
    assert (np.abs(found - table[ids]) <= 0.501 * steps).all()
    assert not found[ids == 3].any()


def test_the_table_takes_a_quarter() -> None:
    model = lookup(table_of(1000))
    before = model.ByteSize()
    rewrite(model, quantize_embedding(find_embeddings(model)[0], weights_of(model)))
    assert model.ByteSize() < before * (1 / 4 + 1 / 32) + 1000  # a scale a row; and nodes


@pytest.mark.parametrize(("rows", "quantised"), [(511, False), (512, True)])
def test_a_table_below_64_kib_stays_as_it_is(rows: int, quantised: bool) -> None:
    model = lookup(table_of(rows))
    assert bool(quantize_embedding(find_embeddings(model)[0], weights_of(model))) == quantised


@pytest.fixture(scope="module")
def large(make_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 600 words, whose table is large enough."""
    file = tmp_path_factory.mktemp("large") / "fp32.onnx"
    export_onnx(make_checkpoint("bert", vocab_size=600), file)
    return file


@pytest.mark.parametrize("name", BUILT)
def test_forms_for_cpus_keep_word_embeddings_in_int8_and_those_for_gpus_in_half_precision(
    name: str, large: Path, cased: Encoder, tmp_path: Path
) -> None:
    builder = VARIANTS[name].build
    assert builder is not None
    builder(large, tmp_path / "variant.onnx", cased.calibration)
    graph = onnx.load(tmp_path / "variant.onnx").graph
    tables = [tensor for tensor in graph.initializer if list(tensor.dims) == [600, 32]]
    expected = TensorProto.INT8 if CPU in VARIANTS[name].requirements.providers else TensorProto.FLOAT16
    assert [table.data_type for table in tables] == [expected]
