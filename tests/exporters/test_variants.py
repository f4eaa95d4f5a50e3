"""The table of variants, and choosing from it."""

from __future__ import annotations

import re
from pathlib import Path

import onnx
import onnxruntime
import pytest

from edgener_exporters.variants import KERNELS, VARIANTS, select_variants
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.devices import CPU, CUDA, TENSORRT

from .conftest import Encoder
from .running import operators_run
from .test_builders import build

PROVIDERS = (CPU, CUDA, TENSORRT)


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
    assert row.name == name and row.description and row.requirements.providers
    assert set(row.requirements.providers) <= set(onnxruntime.get_all_providers())


def test_the_optimizers_switched_off_are_ones_that_onnxruntime_has(cased: Encoder, tmp_path: Path) -> None:
    """onnxruntime takes any name without a word; the fused operator must be gone from the graph it runs.

    It fuses where it knows the shapes; our graphs say none, but other versions may infer more of them.
    """
    switched_off = VARIANTS["int8-dynamic"].disabled_optimizers
    assert {name for variant in VARIANTS.values() for name in variant.disabled_optimizers} == set(switched_off)
    shaped = tmp_path / "shaped.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(onnx.load(build("int8-dynamic", cased, tmp_path / "x.onnx"))), shaped)
    assert "SkipLayerNormalization" in operators_run(shaped, tmp_path)
    assert "SkipLayerNormalization" not in operators_run(shaped, tmp_path, switched_off)


@pytest.mark.parametrize("name", VARIANTS)
def test_each_provider_either_runs_a_variant_or_refuses_it_with_a_reason(name: str) -> None:
    variant = VARIANTS[name]
    runs, refuses = set(variant.requirements.providers), set(variant.refused)
    assert runs | refuses == set(PROVIDERS) and not runs & refuses
    assert all(variant.refused.values())


def test_a_reason_for_refusal_names_variants_that_run_there() -> None:
    """`fp16` behind a colon sends the reader to another row; that row must take the provider."""
    for variant in VARIANTS.values():
        for provider, reason in variant.refused.items():
            named = re.findall(r"[\w-]+", reason.rpartition(":")[2])
            for other in set(named) & set(VARIANTS):
                assert provider in VARIANTS[other].requirements.providers, (variant.name, other)


def test_a_search_chooses_among_the_kernels_of_cpu_variants() -> None:
    assert set(KERNELS) == {"int8-dynamic", "int8-rowwise", "int8-static", "int8-weight-only"}
    assert all(
        VARIANTS[name].requirements.providers == (CPU,) and VARIANTS[name].precision == "int8" for name in KERNELS
    )
