"""FP32 export: every architecture, both exporters, and checkpoints that are not what they say."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest

from edgener_exporters.checkpoint.load import load_reference
from edgener_exporters.graph import onnx as exporters
from edgener_exporters.graph.onnx import export_onnx
from edgener_runtime.errors import ExportError, UserInputError

pytestmark = pytest.mark.compat

ARCHITECTURES = {
    "bert": ["input_ids", "attention_mask", "token_type_ids"],
    "roberta": ["input_ids", "attention_mask"],
    "distilbert": ["input_ids", "attention_mask"],
    "electra": ["input_ids", "attention_mask", "token_type_ids"],
}
OPTIMUM = find_spec("optimum") is not None
needs_optimum = pytest.mark.skipif(not OPTIMUM, reason="optimum is not installed here: make test-optimum")


def inputs_of(file: Path) -> list[str]:
    return [value.name for value in onnx.load(file).graph.input]


@pytest.mark.parametrize("exporter", ["torch", pytest.param("optimum", marks=needs_optimum)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_is_exported_and_passes_the_checks(
    architecture: str, exporter: str, make_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    export_onnx(make_checkpoint(architecture), tmp_path / "fp32.onnx", exporter)
    assert inputs_of(tmp_path / "fp32.onnx") == ARCHITECTURES[architecture]


def test_a_bfloat16_checkpoint_is_exported_in_float32(make_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_checkpoint("bert")
    load_reference(folder).bfloat16().save_pretrained(folder)
    export_onnx(folder, tmp_path / "fp32.onnx")
    kinds = {weight.data_type for weight in onnx.load(tmp_path / "fp32.onnx").graph.initializer}
    assert onnx.TensorProto.FLOAT in kinds and onnx.TensorProto.BFLOAT16 not in kinds


def test_dropout_is_not_exported(make_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    export_onnx(make_checkpoint("bert", hidden_dropout_prob=0.9), tmp_path / "fp32.onnx")
    assert "Dropout" not in {node.op_type for node in onnx.load(tmp_path / "fp32.onnx").graph.node}


def test_two_processes_write_the_same_bytes(bert: Path, bert_onnx: Path, tmp_path: Path) -> None:
    code = "import sys, pathlib, edgener_exporters.graph.onnx as o; o.export_onnx(*map(pathlib.Path, sys.argv[1:]))"
    subprocess.run([sys.executable, "-c", code, str(bert), str(tmp_path / "fp32.onnx")], check=True)
    assert (tmp_path / "fp32.onnx").read_bytes() == bert_onnx.read_bytes()


def test_no_path_of_this_machine_is_written(bert: Path, bert_onnx: Path) -> None:
    graph = bert_onnx.read_bytes()
    assert str(bert).encode() not in graph and str(Path.home()).encode() + b"/" not in graph
    assert str(Path(sys.prefix)).encode() not in graph


def test_nothing_is_said(bert: Path, tmp_path: Path) -> None:
    code = "import sys, pathlib, edgener_exporters.graph.onnx as o; o.export_onnx(*map(pathlib.Path, sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(bert), str(tmp_path / "fp32.onnx")], check=True, capture_output=True, text=True
    )
    assert done.stdout + done.stderr == ""


def test_corrupt_weights_are_bad_input(make_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_checkpoint("bert")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserInputError, match="cannot be loaded"):
        export_onnx(folder, tmp_path / "fp32.onnx")


def test_missing_weights_are_not_invented(make_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_checkpoint("bert")
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserInputError, match=r"classifier\.weight"):
        export_onnx(folder, tmp_path / "fp32.onnx")


@pytest.mark.skipif(OPTIMUM, reason="optimum is installed here")
def test_optimum_that_is_not_there_is_an_error_with_the_command(bert: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="not installed") as caught:
        export_onnx(bert, tmp_path / "fp32.onnx", "optimum")
    assert "edgener[optimum]" in str(caught.value.hint)


def test_an_export_that_is_not_the_model_is_refused(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(exporters.EXPORTERS, "torch", lambda model, folder, out: out.write_bytes(b"not a graph"))
    with pytest.raises(ExportError):
        export_onnx(bert, tmp_path / "fp32.onnx")


def test_a_model_that_one_file_cannot_hold_is_refused(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgener_exporters.graph.onnx.LARGEST", 1000)
    with pytest.raises(ExportError, match="one ONNX file holds"):
        export_onnx(bert, tmp_path / "fp32.onnx")


def test_a_full_disk_is_not_taken_for_a_bad_model(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(exporters.EXPORTERS, "torch", full)
    with pytest.raises(OSError, match="No space left"):
        export_onnx(bert, tmp_path / "fp32.onnx")
