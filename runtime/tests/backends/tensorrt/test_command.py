"""`edgener-runtime prepare` on a machine that may have no GPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgener_runtime.backends.tensorrt import backend
from edgener_runtime.backends.tensorrt import session as direct
from edgener_runtime.backends.tensorrt.paths import engine_file, engines_folder
from edgener_runtime.backends.tensorrt.session import Warmed
from edgener_runtime.machine.probe.cuda import CudaDriver, Gpu

from .conftest import WRITES, Plant

Run = Callable[..., object]
AHEAD = ("--backend", "tensorrt-rtx", "--compute-capability", "8.6")


@pytest.fixture(autouse=True)
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every machine is one without a driver here."""
    monkeypatch.setattr(backend, "cuda_driver", lambda: CudaDriver(None, (), "no CUDA driver is installed"))


def test_without_a_gpu_it_exits_6_with_the_reason_and_the_next_command(run: Run, copy: Path) -> None:
    done = run("prepare", copy, "--device", "tensorrt")
    assert (done.code, done.out) == (6, "")
    assert "TensorRT needs an NVIDIA GPU, and no CUDA driver is installed" in done.err
    assert "edgener-runtime devices" in done.err
    assert not engines_folder(copy).exists()


def test_what_was_built_and_what_was_not_run_is_printed(run: Run, copy: Path, plant: Plant) -> None:
    plant(WRITES)
    done = run("prepare", copy, *AHEAD)
    assert done.code == 0
    assert f"{engine_file(copy, 'fp32')}: built by TensorRT for RTX 1.7 for compute capability 8.6" in done.out
    assert "profile 1: 1x1 8x32 8x64" in done.out
    assert "parsed and built, not run" in done.out


def test_json_is_the_sidecar(run: Run, copy: Path, plant: Plant) -> None:
    plant(WRITES)
    done = run("prepare", copy, *AHEAD, "--variant", "all", "--json")
    (sidecar,) = json.loads(done.out)
    assert sidecar.pop("warmed") == []  # no GPU to run it on
    assert sidecar == json.loads(engine_file(copy, "fp32").with_suffix(".engine.json").read_text())


def test_on_a_gpu_every_shape_is_run_once(run: Run, copy: Path, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """GPU, build and run are stand-ins."""
    gpu = CudaDriver("12.6", (Gpu("Orin", "8.7", 8 << 30),), None)
    monkeypatch.setattr(backend, "cuda_driver", lambda: gpu)
    shapes = (Warmed(1, 8, 31.0, 0.5), Warmed(8, 64, 40.0, 2.25, "the stream is busy"))
    monkeypatch.setattr(direct, "warm_up", lambda bundle, entry: shapes)
    plant(WRITES)
    done = run("prepare", copy)
    assert "built by TensorRT 1.7 on Orin" in done.out and "not run" not in done.out
    assert "ran 1x8 in 0.50 ms, at first in 31 ms\n" in done.out
    assert "ran 8x64 in 2.25 ms, at first in 40 ms; no CUDA graph: the stream is busy" in done.out
    (row,) = json.loads(run("prepare", copy, "--json").out)
    assert (row["gpu"], row["driver"], row["compute_capabilities"]) == ("Orin", "12.6", ["8.7"])
    assert [shape["ms"] for shape in row["warmed"]] == [0.5, 2.25]


def test_lengths_of_texts_make_the_profiles(run: Run, copy: Path, plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("oil leak\n" * 9 + "shaft seal worn, oil leak at the gearbox of the mixer " * 2)
    plant(WRITES)
    done = run("prepare", copy, *AHEAD, "--input", tmp_path / "texts.txt", "--batch", 4, "--json")
    profiles = json.loads(done.out)[0]["profiles"]
    assert [profile["maximum"] for profile in profiles] == [[1, 64], [4, 64]]
    assert profiles[0]["optimum"] < profiles[1]["optimum"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--min-shapes", "1x1"], 2, "each profile has one"),
        (["--minShapes", "1x1", "--optShapes", "1x8", "--maxShapes", "1x65"], 2, "65 subwords, the model takes 64"),
        (["--min-shapes", "1x1", "--input", "-"], 2, "not from both"),
        (["--workspace", "much"], 2, "is not a size"),
        (["--memory-pool", "workspace"], 2, "is not a size"),
        (["--memory-pool", "stack=1M"], 2, "no memory pool 'stack'"),
        (["--variant", "int8-dynamic"], 6, "int8-dynamic is made for CPUExecutionProvider"),
        (["--variant", "fp64"], 2, "no variant 'fp64'"),
        (["--refit"], 2, "needs the GPU itself"),
        (["--device", "npu"], 2, "npu"),
    ],
)
def test_what_cannot_be_is_refused_before_a_build(
    arguments: list[str], code: int, message: str, run: Run, copy: Path, plant: Plant
) -> None:
    plant("raise SystemExit('built')")
    done = run("prepare", copy, *AHEAD, *arguments)
    assert done.code == code and message in done.err
    assert not engines_folder(copy).exists()


def test_a_damaged_bundle_is_refused_first(run: Run, copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{}")
    assert run("prepare", copy).code == 5
