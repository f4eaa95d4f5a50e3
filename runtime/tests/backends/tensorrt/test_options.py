"""Options of a build: sizes, ranges, and what excludes what; their effect is tried in tests/nvidia."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import pytest

from edgener_runtime.backends.tensorrt.backend import BACKENDS, check_backend, find_backend
from edgener_runtime.backends.tensorrt.options import FLAGS, EngineOptions, check_options, member, parse_size
from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.errors import ProviderError, UserInputError

RTX, PLAIN = BACKENDS["tensorrt-rtx"], BACKENDS["tensorrt"]


def test_options_round_trip_through_json() -> None:
    options = EngineOptions(pools={"workspace": 1 << 29}, refit=True, dla_core=0, gpu_fallback=True)
    assert from_json(EngineOptions, to_json(options), "options") == options


def test_every_switch_has_its_flag() -> None:
    assert {field.name for field in fields(EngineOptions) if field.type == "bool"} == set(FLAGS)


@pytest.mark.parametrize(
    ("text", "size"), [("512M", 1 << 29), ("2g", 2 << 30), ("1048576", 1 << 20), ("4K", 4096), ("7B", 7)]
)
def test_a_size(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "0", "-1M", "1.5G", "12T", "many"])
def test_a_text_that_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(UserInputError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (EngineOptions(pools={"stack": 1}), "no memory pool 'stack'"),
        (EngineOptions(hardware_compatibility="hopper"), "no hardware compatibility 'hopper'"),
        (EngineOptions(profiling_verbosity="loud"), "no profiling verbosity 'loud'"),
        (EngineOptions(builder_optimization_level=6), "is 6, expected 0 to 5"),
        (EngineOptions(gpu_fallback=True), "none is asked for"),
        (EngineOptions(exclude_lean_runtime=True), "no lean runtime to leave out"),
        (EngineOptions(dla_core=0, hardware_compatibility="ampere-plus"), "runs on that device alone"),
    ],
)
def test_a_planted_fault_is_found(options: EngineOptions, message: str) -> None:
    check_options(EngineOptions())
    with pytest.raises(UserInputError, match=message):
        check_options(options)


@pytest.mark.parametrize(
    ("options", "capabilities", "message"),
    [
        (EngineOptions(dla_core=0), (), "--dla-core: TensorRT for RTX accepts it without effect"),
        (EngineOptions(hardware_compatibility="ampere-plus"), (), "--hardware-compatibility"),
        (EngineOptions(average_timings=3), ("8.6",), "--average-timings"),
        (EngineOptions(refit=True), ("8.6",), "--refit: TensorRT for RTX needs the GPU itself"),
        (EngineOptions(strip_weights=True), ("8.6",), "--strip-weights"),
    ],
)
def test_what_rtx_would_ignore_or_fail_at_is_refused(
    options: EngineOptions, capabilities: tuple[str, ...], message: str
) -> None:
    check_backend(RTX, EngineOptions(tf32=True), capabilities)
    with pytest.raises(UserInputError, match=message):
        check_backend(RTX, options, capabilities)


def test_rtx_may_refit_where_the_gpu_is() -> None:
    check_backend(RTX, EngineOptions(refit=True), ())


def test_tensorrt_builds_for_no_other_gpu() -> None:
    check_backend(PLAIN, EngineOptions(dla_core=0, refit=True), ())
    with pytest.raises(UserInputError, match=r"not for compute capability 8\.6") as caught:
        check_backend(PLAIN, EngineOptions(), ("8.6",))
    assert "tensorrt-rtx" in str(caught.value.hint)


def test_an_unknown_backend_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserInputError, match="no backend 'tflite'") as caught:
        find_backend("tflite")
    assert str(caught.value.hint) == "Choose one of: tensorrt, tensorrt-rtx"


def test_a_member_missing_in_a_version_is_a_clear_error() -> None:
    old = SimpleNamespace(__name__="tensorrt", __version__="10.3.0", Level=SimpleNamespace(NONE=0))
    assert member(old, "Level", "NONE") == 0
    for enumeration, name in (("Level", "NEWER"), ("Other", "NONE")):
        with pytest.raises(ProviderError, match=rf"tensorrt 10\.3\.0 has no {enumeration}\.{name}"):
            member(old, enumeration, name)
