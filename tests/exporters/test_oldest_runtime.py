"""Every variant's graph loads on the oldest onnxruntime that the table promises, and answers as on the newest.

`make test-matrix` sets up an environment with it and runs this.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgener_exporters.quantise.fp16_emulation import round_to_fp16
from edgener_exporters.variants import VARIANTS, Variant
from edgener_runtime.inference.batches import feeds, rows_of
from edgener_runtime.machine.devices import CPU

from .conftest import Encoder
from .running import logits_of
from .test_builders import ARCHITECTURES, BUILT, build

pytestmark = pytest.mark.environment

OLDEST = "1.23"
ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".cache" / "runtime" / "venv-3.10-1.23-plain" / "bin" / "python"
SCRIPT = Path(__file__).with_name("run_alone.py")


@pytest.fixture(scope="module")
def oldest() -> Path:
    """A Python that has the oldest onnxruntime."""
    if not PYTHON.exists():
        pytest.skip(f"no environment with onnxruntime {OLDEST} stands in .cache: make test-matrix")
    code = "import onnxruntime; print(onnxruntime.__version__)"
    version = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    if not version.startswith(f"{OLDEST}."):
        pytest.skip(f"the environment in .cache has onnxruntime {version}, not {OLDEST}")
    return PYTHON


def test_it_is_the_one_that_the_table_promises() -> None:
    assert {variant.requirements.onnxruntime for variant in VARIANTS.values()} == {OLDEST}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", [*BUILT, "fp32"])
def test_a_graph_loads_and_answers_as_on_the_newest(
    name: str, architecture: str, oldest: Path, encoder: Callable[[str], Encoder], tmp_path: Path
) -> None:
    made, variant = encoder(architecture), VARIANTS[name]
    file = build(name, made, tmp_path / "variant.onnx") if variant.build else made.fp32
    rows = rows_of(made.tokenizer, made.tokenizer.encode(made.calibration.texts[:8]))
    fed = feeds(rows, made.tokenizer.settings)
    found = run_there(oldest, file, fed, tmp_path, variant)
    assert np.isfinite(found).all()
    if CPU not in variant.requirements.providers:  # CPUs disagree about FP16, but not about FP32 that is rounded to it
        file = rounded(file, tmp_path / "rounded.onnx")
        found = run_there(oldest, file, fed, tmp_path, variant)
    assert np.abs(found - logits_of(file, fed)).max() < 0.05


def run_there(python: Path, graph: Path, fed: dict[str, Any], folder: Path, variant: Variant) -> Any:
    """The logits that another Python's onnxruntime gives."""
    np.savez(folder / "feeds.npz", **fed)
    command = [python, SCRIPT, graph, folder / "feeds.npz", folder / "logits.npy", *variant.disabled_optimizers]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "logits.npy")


def rounded(graph: Path, out: Path) -> Path:
    model = onnx.load(graph)
    round_to_fp16(model)
    onnx.save(model, out)
    return out


def test_a_graph_that_is_too_new_is_refused_there(oldest: Path, cased: Encoder, tmp_path: Path) -> None:
    """Proof that it is the old one that looks."""
    model = onnx.load(cased.fp32)
    model.ir_version = 13
    onnx.save(model, tmp_path / "new.onnx")
    with pytest.raises(AssertionError, match="IR version"):
        run_there(oldest, tmp_path / "new.onnx", {}, tmp_path, VARIANTS["fp32"])
