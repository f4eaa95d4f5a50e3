"""`edgener build-engine` where no TensorRT is: what it refuses, and that its page has all of its options."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner, Result

from edgener.bundle.build import write_manifest
from edgener.cli.main import main
from edgener_runtime.backends.tensorrt import backend
from edgener_runtime.backends.tensorrt.paths import engines_folder
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.bundle.verify import file_entry
from edgener_runtime.commissioning.cli.prepare import prepare
from edgener_runtime.commissioning.engines import build
from edgener_runtime.machine.probe.cuda import CudaDriver

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "tensorrt.md"
AHEAD = ("--backend", "tensorrt-rtx", "--compute-capability", "8.6")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "runtime" / "tests" / "bundle", tmp_path / "bundle"))


@pytest.fixture(autouse=True)
def no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a driver, on which a build would announce itself."""
    monkeypatch.setattr(backend, "cuda_driver", lambda: CudaDriver(None, (), "no CUDA driver is installed"))
    monkeypatch.setattr(build, "WORKER", ("bash", "-c", "echo started >&2; exit 9"))


def run(bundle: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["build-engine", str(bundle), *map(str, arguments)])


def test_for_this_machine_it_exits_6_with_the_reason_and_the_next_command(bundle: Path) -> None:
    for arguments in ((), ("--device", "tensorrt")):
        done = run(bundle, *arguments)
        assert (done.exit_code, done.stdout) == (6, "")
        assert "TensorRT needs an NVIDIA GPU, and no CUDA driver is installed" in done.stderr
        assert "edgener-runtime devices" in done.stderr


def test_a_gpu_is_here_or_it_is_not(bundle: Path) -> None:
    done = run(bundle, "--device", "tensorrt", *AHEAD)
    assert done.exit_code == 2 and "--compute-capability another one" in done.stderr


def test_the_lint_speaks_before_a_build(bundle: Path) -> None:
    graph = onnx.load(bundle / "variants" / "fp32.onnx")
    graph.graph.node.append(onnx.helper.make_node("Gelu", ["logits"], ["z"], "planted", domain="com.microsoft"))
    replace_graph(bundle, graph)
    done = run(bundle, *AHEAD)
    assert done.exit_code == 1 and "TensorRT refuses planted" in done.stderr and "started" not in done.stderr
    assert not engines_folder(bundle).exists()


def replace_graph(bundle: Path, graph: onnx.ModelProto) -> None:
    """Put another FP32 graph into a bundle, and its hash into the manifest."""
    file, manifest = bundle / "variants" / "fp32.onnx", read_manifest(bundle)
    onnx.save(graph, file)
    entries = [
        replace(entry, file=file_entry(bundle, file)) if entry.name == "fp32" else entry for entry in manifest.variants
    ]
    write_manifest(replace(manifest, variants=tuple(entries)), bundle)


def test_a_good_graph_gets_as_far_as_the_build(bundle: Path) -> None:
    done = run(bundle, *AHEAD)
    assert done.exit_code == 1 and "ended with code 9: started" in done.stderr


def test_the_page_has_every_option_and_no_other() -> None:
    documented = set(re.findall(r"--[a-z][A-Za-z0-9-]+", PAGE.read_text(encoding="utf-8")))
    commands = (main.commands["build-engine"], prepare)
    options = {name for command in commands for option in command.params for name in option.opts}
    named = {name for name in options if name.startswith("--") and name.islower()} - {"--variant"}
    assert named - documented == set()
    assert documented - options == {"--fp16", "--int8", "--best"}  # named as removed


def test_both_commands_have_the_same_options() -> None:
    assert {option.name for option in main.commands["build-engine"].params} == {
        option.name for option in prepare.params
    }
