"""An engine that is not of this model, GPU and TensorRT, or not whole, is refused before it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgener_runtime.backends.tensorrt.options import EngineOptions
from edgener_runtime.backends.tensorrt.paths import sidecar_file
from edgener_runtime.backends.tensorrt.sidecar import DlaReport, EngineTarget, Sidecar, check_sidecar
from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.errors import BundleError, ProviderError

from .conftest import ORIN

Put = Callable[..., Path]


def test_a_sidecar_round_trips_through_json(sidecar: Sidecar) -> None:
    full = replace(sidecar, dla=DlaReport(0, 3, 2, ("softmax",)), options=EngineOptions(pools={"workspace": 1}))
    assert from_json(Sidecar, to_json(full), "sidecar") == full


def test_an_engine_where_it_was_built_passes(put: Put, copy: Path, entry: VariantEntry, sidecar: Sidecar) -> None:
    put()
    assert check_sidecar(copy, entry, ORIN) == sidecar


OTHER_PLACES = [
    (replace(ORIN, version="10.13.3.9"), r"built for tensorrt 10\.3\.0, here is 10\.13\.3\.9"),
    (replace(ORIN, version="10.3"), r"built for tensorrt 10\.3\.0, here is 10\.3"),
    (replace(ORIN, backend="tensorrt-rtx"), "built for backend tensorrt, here is tensorrt-rtx"),
    (replace(ORIN, gpu="Xavier"), r"built for the GPU Orin with compute capability 8\.7, here is Xavier with 8\.7"),
    (replace(ORIN, compute_capability="11.0"), r"here is Orin with 11\.0"),
]


@pytest.mark.parametrize(("here", "message"), OTHER_PLACES)
def test_an_engine_elsewhere_is_refused_with_the_command(
    here: EngineTarget, message: str, put: Put, copy: Path, entry: VariantEntry
) -> None:
    put()
    with pytest.raises(ProviderError, match=message) as caught:
        check_sidecar(copy, entry, here)
    assert caught.value.hint == f"edgener-runtime prepare {copy} --variant fp32"


OTHER_ENGINES = [
    ({"onnx_sha256": "0" * 64}, ProviderError, "built for a model with SHA-256 000000000000"),
    ({"variant": "fp16"}, ProviderError, "built for variant fp16"),
    ({"engine_sha256": "0" * 64}, BundleError, "was changed since it was built"),
    ({"engine_size": 1}, BundleError, "was changed since it was built"),
    ({"schema_version": 2}, BundleError, "schema version 2, expected 1"),
    ({"options": EngineOptions(strip_weights=True)}, ProviderError, "without its weights"),
]


@pytest.mark.parametrize(("fields", "kind", "message"), OTHER_ENGINES)
def test_another_engine_is_refused(
    fields: dict[str, object], kind: type[Exception], message: str, sidecar: Sidecar, put: Put, copy: Path,
    entry: VariantEntry,
) -> None:  # fmt: skip
    engine = put()
    changed = replace(sidecar, **fields)  # type: ignore[arg-type]
    sidecar_file(engine).write_text(to_json(changed), encoding="utf-8")
    with pytest.raises(kind, match=message):
        check_sidecar(copy, entry, ORIN)


def test_no_engine_names_the_command(copy: Path, entry: VariantEntry) -> None:
    with pytest.raises(ProviderError, match="no engine is built") as caught:
        check_sidecar(copy, entry, ORIN)
    assert "edgener-runtime prepare" in str(caught.value.hint)


def without_sidecar(engine: Path) -> None:
    sidecar_file(engine).unlink()


def cut_sidecar(engine: Path) -> None:
    file = sidecar_file(engine)
    file.write_bytes(file.read_bytes()[:100])


def sidecar_of_no_text(engine: Path) -> None:
    sidecar_file(engine).write_bytes(b"\xff\xfe")


def cut_engine(engine: Path) -> None:
    engine.write_bytes(engine.read_bytes()[:-1])


def flipped_bit(engine: Path) -> None:
    content = bytearray(engine.read_bytes())
    content[3] ^= 1
    engine.write_bytes(content)


@pytest.mark.parametrize("harm", [without_sidecar, cut_sidecar, sidecar_of_no_text, cut_engine, flipped_bit])
def test_damage_is_found(harm: Callable[[Path], None], put: Put, copy: Path, entry: VariantEntry) -> None:
    harm(put())
    with pytest.raises(BundleError) as caught:
        check_sidecar(copy, entry, ORIN)
    assert "edgener-runtime prepare" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("fields", "here", "passes"),
    [
        ({"options": EngineOptions(version_compatible=True)}, replace(ORIN, version="10.13.3.9"), True),
        ({"options": EngineOptions(version_compatible=True)}, replace(ORIN, version="10.2.9"), False),
        ({"options": EngineOptions(version_compatible=True)}, replace(ORIN, version="11.4.0"), False),
        (
            {"options": EngineOptions(hardware_compatibility="ampere-plus")},
            EngineTarget("tensorrt", "10.3.0", "L4", "8.9"),
            True,
        ),
        (
            {"options": EngineOptions(hardware_compatibility="ampere-plus")},
            EngineTarget("tensorrt", "10.3.0", "T4", "7.5"),
            False,
        ),
        (
            {"options": EngineOptions(hardware_compatibility="same-compute-capability")},
            replace(ORIN, gpu="Orin NX"),
            True,
        ),
        (
            {"options": EngineOptions(hardware_compatibility="same-compute-capability")},
            replace(ORIN, compute_capability="8.6"),
            False,
        ),
        ({"gpu": None, "compute_capabilities": ("8.6", "8.7")}, ORIN, True),
        ({"gpu": None, "compute_capabilities": ("8.6", "8.9")}, ORIN, False),
    ],
)
def test_compatibility_goes_as_far_as_it_was_built_for(
    fields: dict[str, object], here: EngineTarget, passes: bool, put: Put, copy: Path, entry: VariantEntry
) -> None:
    put(**fields)
    if passes:
        check_sidecar(copy, entry, here)
    else:
        with pytest.raises(ProviderError, match="was built for"):
            check_sidecar(copy, entry, here)
