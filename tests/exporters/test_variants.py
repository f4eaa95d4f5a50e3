"""The table of variants, and choosing from it."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest

from edgener_exporters.calibration import Calibration
from edgener_exporters.variants import VARIANTS, select_variants
from edgener_runtime.errors import UserInputError


def test_names_are_taken_in_the_tables_order_whatever_order_they_are_given_in() -> None:
    assert [variant.name for variant in select_variants("fp32, int8-dynamic")] == ["int8-dynamic", "fp32"]


@pytest.mark.parametrize("names", ["fp17", "fp32,int9", "", ","])
def test_an_unknown_variant_is_refused_with_the_names_there_are(names: str) -> None:
    with pytest.raises(UserInputError) as caught:
        select_variants(names)
    assert all(name in str(caught.value.hint) for name in VARIANTS)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_row_says_what_it_is_and_where_it_runs(name: str) -> None:
    row = VARIANTS[name]
    assert row.name == name and row.description and row.needs.providers
    assert set(row.needs.providers) <= set(onnxruntime.get_all_providers())


def test_the_optimizers_switched_off_are_ones_that_onnxruntime_has(bert_onnx: Path, tmp_path: Path) -> None:
    """onnxruntime takes any name without a word; the fused operator must be gone from the graph it runs."""
    int8 = VARIANTS["int8-dynamic"]
    assert int8.build is not None
    int8.build(bert_onnx, tmp_path / "int8.onnx", Calibration([], None))  # type: ignore[arg-type]
    assert "SkipLayerNormalization" in optimised_operators(tmp_path / "int8.onnx", ())
    assert "SkipLayerNormalization" not in optimised_operators(tmp_path / "int8.onnx", int8.disabled_optimizers)


def optimised_operators(graph: Path, disabled: tuple[str, ...]) -> set[str]:
    import onnx

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(graph.with_suffix(".optimised.onnx"))
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        str(graph), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(disabled)
    )
    return {node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node}
