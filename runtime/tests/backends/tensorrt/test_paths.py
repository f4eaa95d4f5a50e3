"""Engines lie beside the bundle, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgener_runtime.backends.tensorrt.paths import engine_file, layers_file, sidecar_file, timing_cache_file
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import BundleError


def test_an_engine_lies_beside_its_bundle_which_stays_whole(copy: Path) -> None:
    engine = engine_file(copy, "fp16")
    assert engine == copy.parent / "copy.engines" / "fp16.engine"
    engine.parent.mkdir()
    for file in (engine, sidecar_file(engine), layers_file(engine)):
        file.write_bytes(b"")
    verify_bundle(copy)
    assert sorted(path.name for path in engine.parent.iterdir()) == [
        "fp16.engine", "fp16.engine.json", "fp16.engine.layers.json"
    ]  # fmt: skip


def test_a_relative_bundle_has_the_same_place(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copy)
    assert engine_file(Path(), "fp16") == engine_file(copy, "fp16")


@pytest.mark.parametrize("name", ["../fp16", "a/b", "", ".", ".hidden", "fp16\n", "x\0y"])
def test_a_name_that_leads_elsewhere_is_refused(name: str, copy: Path) -> None:
    with pytest.raises(BundleError, match="not a file name"):
        engine_file(copy, name)


def test_timings_are_kept_apart_by_gpu_and_version(tmp_path: Path) -> None:
    names = {
        timing_cache_file(tmp_path, version, gpu).name
        for version in ("10.3.0", "10.13.3.9")
        for gpu in ("Orin", "NVIDIA GeForce RTX 3060/Laptop")
    }
    assert len(names) == 4
    assert "timing-nvidia-geforce-rtx-3060-laptop-10.3.0.cache" in names
