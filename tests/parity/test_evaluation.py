"""Variants timed here: fastest session options, fastest variant first, and times taken from an earlier bundle."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgener.bundle.build import write_manifest
from edgener.parity import evaluation as trials
from edgener.parity.evaluation import time_variants, timed_as
from edgener.progress import untracked
from edgener_exporters.variants import SESSION_OPTIONS
from edgener_runtime.bundle.manifest import Manifest, Speed, Spread, read_manifest
from edgener_runtime.errors import UserInputError

PLAIN, WITHOUT = SESSION_OPTIONS


def around(milliseconds: float, spread: float = 0.1) -> Speed:
    latency = Spread(milliseconds, milliseconds - spread, milliseconds + spread)
    return Speed(latency, Spread(1000 / milliseconds, 1.0, 2.0), "AVX2", 2)


@pytest.fixture
def manifest(exported: Path) -> Manifest:
    return read_manifest(exported)


def timed(manifest: Manifest, folder: Path, monkeypatch: pytest.MonkeyPatch, times: dict[Any, Speed]) -> Manifest:
    def measure(classifiers: Mapping[Any, Any], texts: Any, step: Any) -> dict[Any, Speed]:
        assert set(classifiers) == set(times)  # every variant that runs here, with each of the options
        for (name, options), classifier in classifiers.items():
            assert (classifier.variant.name, classifier.variant.disabled_optimizers) == (name, options)
        return times

    monkeypatch.setattr(trials, "measure_speed", measure)
    return time_variants(folder, manifest, ["oil leak"], untracked)


def test_the_options_that_are_faster_in_every_round_are_taken(
    manifest: Manifest, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = timed(manifest, exported, monkeypatch, {
        ("int8-dynamic", PLAIN): around(5.0), ("int8-dynamic", WITHOUT): around(9.0),
        ("fp32", PLAIN): around(20.0), ("fp32", WITHOUT): around(10.0),
    })  # fmt: skip
    entry = found.variant("int8-dynamic")
    assert entry.disabled_optimizers == PLAIN and entry.speed == around(5.0)
    assert found.variant("fp32").disabled_optimizers == WITHOUT


def test_a_difference_within_the_spread_changes_nothing(
    manifest: Manifest, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = timed(manifest, exported, monkeypatch, {
        ("int8-dynamic", PLAIN): around(5.0), ("int8-dynamic", WITHOUT): around(5.1),
        ("fp32", PLAIN): around(10.1), ("fp32", WITHOUT): around(10.0),
    })  # fmt: skip
    for name in ("int8-dynamic", "fp32"):
        assert found.variant(name).disabled_optimizers == manifest.variant(name).disabled_optimizers


def test_the_fastest_comes_first_and_what_does_not_run_here_last(
    manifest: Manifest, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = replace(
        manifest.variants[0],
        name="fp16",
        requirements=replace(manifest.variants[0].requirements, providers=("CUDAExecutionProvider",)),
    )
    with_gpu = replace(manifest, variants=(gpu, *manifest.variants))
    times = {(name, options): around(5.0 if name == "fp32" else 7.0)
             for name in ("int8-dynamic", "fp32") for options in SESSION_OPTIONS}  # fmt: skip
    found = timed(with_gpu, exported, monkeypatch, times)
    assert [entry.name for entry in found.variants] == ["fp32", "int8-dynamic", "fp16"]
    assert found.variants[-1].speed is None


def whole(bundle: Path, folder: Path) -> Path:
    return Path(shutil.copytree(bundle, folder, dirs_exist_ok=True))


def test_times_of_an_earlier_bundle_are_taken_with_options_and_order(
    manifest: Manifest, exported: Path, tmp_path: Path
) -> None:
    entries = {entry.name: entry for entry in manifest.variants}
    earlier = replace(
        manifest,
        variants=(
            replace(entries["fp32"], disabled_optimizers=PLAIN, speed=around(3.0)),
            replace(entries["int8-dynamic"], disabled_optimizers=WITHOUT, speed=around(4.0)),
        ),
    )
    write_manifest(earlier, whole(exported, tmp_path))
    assert timed_as(tmp_path, manifest).variants == earlier.variants


def test_times_of_a_bundle_without_a_variant_are_refused(manifest: Manifest, exported: Path, tmp_path: Path) -> None:
    write_manifest(replace(manifest, variants=manifest.variants[:1]), whole(exported, tmp_path))
    with pytest.raises(UserInputError, match="has no variant"):
        timed_as(tmp_path, manifest)
