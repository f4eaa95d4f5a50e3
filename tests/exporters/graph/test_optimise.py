"""Graphs that are optimised before they ship: the same answers, nothing left to do at load."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgener_exporters.graph.optimise import optimise_for_cpu
from edgener_exporters.variants import VARIANTS
from edgener_runtime.errors import ExportError
from edgener_runtime.machine.devices import CPU

from ..conftest import Encoder
from ..running import logits_of, operators_run
from ..test_builders import BUILT

ON_CPU = [name for name in BUILT if VARIANTS[name].requirements.providers == (CPU,)]


@pytest.fixture(scope="module", params=ON_CPU)
def pair(request: pytest.FixtureRequest, cased: Encoder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A variant as it was built, and optimised."""
    folder = tmp_path_factory.mktemp("optimise")
    variant = VARIANTS[request.param]
    assert variant.build
    variant.build(cased.fp32, folder / "built.onnx", cased.calibration)
    shutil.copy(folder / "built.onnx", folder / "optimised.onnx")
    optimise_for_cpu(folder / "optimised.onnx", variant.disabled_optimizers)
    return folder / "built.onnx", folder / "optimised.onnx"


def test_it_answers_as_before(pair: tuple[Path, Path], cased: Encoder) -> None:
    feeds = next(cased.calibration.feeds())
    before, after = (logits_of(file, feeds, ("SkipLayerNormFusion",)) for file in pair)  # as variants are run
    np.testing.assert_allclose(after, before, atol=1e-4)


def test_loading_finds_nothing_left_to_change(pair: tuple[Path, Path], tmp_path: Path) -> None:
    built, optimised = (Counter(node.op_type for node in onnx.load(file).graph.node) for file in pair)
    assert sum(optimised.values()) < sum(built.values())
    assert operators_run(pair[1], tmp_path, ("SkipLayerNormFusion",)) == optimised


def test_only_the_domains_it_uses_are_declared(pair: tuple[Path, Path]) -> None:
    graph = onnx.load(pair[1])
    assert {entry.domain for entry in graph.opset_import} == {node.domain for node in graph.graph.node} | {""}


def test_twice_is_the_same_bytes(pair: tuple[Path, Path], tmp_path: Path) -> None:
    again = Path(shutil.copy(pair[0], tmp_path / "again.onnx"))
    optimise_for_cpu(again, ("SkipLayerNormFusion",))
    assert again.read_bytes() == pair[1].read_bytes()
    assert list(tmp_path.iterdir()) == [again]


def test_what_onnxruntime_cannot_load_is_an_export_error(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportError, match=r"cannot optimise broken\.onnx"):
        optimise_for_cpu(tmp_path / "broken.onnx", ())
    assert (tmp_path / "broken.onnx").read_bytes() == b"no graph"
