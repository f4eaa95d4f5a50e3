"""The options of onnxruntime's GPU providers, as data; the providers themselves were not at hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgener_runtime.backends.base import ANY, Model
from edgener_runtime.backends.onnxruntime.options import cache_folder, profile_options, provider_options
from edgener_runtime.backends.tensorrt.profiles import Profile
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.machine.devices import DEVICES
from edgener_runtime.machine.probe.cuda import CudaDriver, Gpu

pytestmark = pytest.mark.compat


@pytest.fixture
def model(bundle: Path, manifest: Manifest) -> Model:
    settings = manifest.tokenizer
    return Model(bundle, manifest.variant("fp32"), settings.inputs, settings.max_length)


def test_the_cpu_has_none_and_takes_any_batch(model: Model) -> None:
    assert provider_options(model, DEVICES["cpu"]) == (ANY, {})


def test_cuda_keeps_the_precision_of_the_graph(model: Model) -> None:
    shapes, options = provider_options(model, DEVICES["cuda"])
    assert (shapes, options["use_tf32"]) == (ANY, "0")


def test_tensorrt_builds_one_engine_for_every_batch_that_comes(model: Model) -> None:
    shapes, options = provider_options(model, DEVICES["tensorrt-ort"])
    assert options["trt_profile_min_shapes"] == "input_ids:1x1,attention_mask:1x1,token_type_ids:1x1"
    assert options["trt_profile_max_shapes"] == "input_ids:8x64,attention_mask:8x64,token_type_ids:8x64"
    assert [shapes.most_rows(length, 100) for length in (1, 64)] == [8, 8]
    assert all(isinstance(value, str) for value in options.values())  # onnxruntime takes nothing else


def test_profiles_stand_one_after_the_other() -> None:
    options = profile_options([Profile((1, 1), (1, 8), (1, 64)), Profile((2, 1), (4, 8), (8, 32))], ["ids", "mask"])
    assert options["trt_profile_opt_shapes"] == "ids:1x8,mask:1x8,ids:4x8,mask:4x8"


def test_what_was_kept_for_another_machine_or_model_is_never_looked_at(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def folder(capability: str = "8.7", driver: str = "12.6", file: str = "a" * 64) -> Path:
        found = CudaDriver(driver, (Gpu("Synthetic GPU", capability, 0),), None)
        monkeypatch.setattr("edgener_runtime.machine.probe.cuda.cuda_driver", lambda: found)
        entry = replace(model.variant, file=replace(model.variant.file, sha256=file))
        return cache_folder(replace(model, variant=entry))

    folders = [folder(), folder(capability="8.6"), folder(driver="13.0"), folder(file="b" * 64)]
    assert len(set(folders)) == 4 and folder() == folders[0]
    assert all(model.bundle not in each.parents for each in folders)  # the bundle stays as its manifest has it
