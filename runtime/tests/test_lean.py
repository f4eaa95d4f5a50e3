"""The lean install: numpy, tokenizers, onnxruntime and click are enough, without what these require in turn."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.compat

NEEDED = ["click", "edgener_runtime", "numpy", "onnxruntime", "tokenizers"]
# Every other distribution of this environment is as if it were not installed.
SCRIPT = """
import sys
from importlib.metadata import packages_distributions
needed = sys.argv[1].split(",")

class Missing:
    names = set(packages_distributions()) - set(needed) - set(sys.stdlib_module_names)
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from edgener_runtime.cli.main import main
main(sys.argv[2:], prog_name="edgener-runtime")
"""


def lean(needed: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, ",".join(needed), *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_a_bundle_runs_with_nothing_but_what_is_needed(bundle: Path) -> None:
    done = lean(NEEDED, "predict", str(bundle), "oil leak")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["entities"]


def test_what_is_left_out_is_missing(bundle: Path) -> None:
    """Proof that the test above leaves something out."""
    done = lean([name for name in NEEDED if name != "onnxruntime"], "predict", str(bundle), "oil leak")
    assert done.returncode == 6
    assert "onnxruntime cannot be loaded" in done.stderr
