"""The package: what it offers, and what it never loads."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import edgener_runtime
from edgener_runtime.machine.probe.cuda import cuda_driver

pytestmark = pytest.mark.compat

FOREIGN = {"torch", "transformers", "onnx", "optimum", "huggingface_hub", "accelerate", "peft", "edgener", "requests"}


def modules_after(code: str, *arguments: object) -> tuple[list[Any], set[str]]:
    """What `code` appended to `said`, and the packages loaded in the end, in a Python that cannot open a socket."""
    script = f"""
import json, socket, sys
class NoSocket(socket.socket):
    def __init__(self, *_, **__): raise SystemExit("a socket was opened")
socket.socket = NoSocket
said = []
{code}
print(json.dumps([said, sorted({{name.partition('.')[0] for name in sys.modules}})]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said, modules = json.loads(done.stdout)
    return said, set(modules)


def test_importing_loads_nothing_foreign_and_nothing_heavy() -> None:
    _, modules = modules_after("import edgener_runtime, edgener_runtime.cli.main")
    assert "edgener_runtime" in modules
    assert modules & (FOREIGN | {"numpy", "onnxruntime", "tokenizers"}) == set()


@pytest.mark.parametrize("variant", ["fp32", "int8-dynamic"])
def test_a_prediction_loads_nothing_foreign_and_opens_no_socket(variant: str, bundle: Path) -> None:
    said, modules = modules_after(
        """
from edgener_runtime import TokenClassifier
with TokenClassifier.load(sys.argv[1], variant=sys.argv[2]) as classifier:
    said += [entity.label for entity in classifier.predict("oil leak")]
""",
        bundle,
        variant,
    )
    assert said
    assert {"numpy", "onnxruntime", "tokenizers"} <= modules
    assert modules & FOREIGN == set()


@pytest.mark.skipif(bool(cuda_driver().gpus), reason="a GPU is here: what it needs is probed")
def test_a_prediction_does_not_wait_for_what_only_probes_and_services_need(bundle: Path) -> None:
    said, _ = modules_after(
        """
from edgener_runtime import TokenClassifier
with TokenClassifier.load(sys.argv[1]) as classifier:
    classifier.predict("oil leak")
said += [name for name in sys.modules if name.startswith("edgener_runtime.")]
""",
        bundle,
    )
    unneeded = ("probe.record", "probe.platforms", "bench", "selftest", "serve", "mqtt", "cli")
    assert [name for name in said if name.removeprefix("edgener_runtime.").startswith(unneeded)] == []


def test_the_version_is_that_of_the_distribution() -> None:
    assert edgener_runtime.__version__ == version("edgener-runtime")


def test_all_that_is_offered_is_there() -> None:
    assert sorted(edgener_runtime.__all__) == edgener_runtime.__all__
    assert all(hasattr(edgener_runtime, name) for name in edgener_runtime.__all__)
