"""The environments that make_envs.sh made: each a Python of its own, or packages for the machine's node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from edgener_runtime.errors import DeviceError

# what decides how fast or how right a peer is, of all that its environment holds
_PACKAGES = (
    "ai-edge-litert", "ai-edge-quantizer", "ctranslate2", "edgener-ops", "edgener-runtime", "executorch",
    "litert-torch", "nncf", "numpy", "onnxruntime", "openvino", "optimum", "optimum-onnx", "tokenizers", "torch",
    "torchao", "transformers",
)  # fmt: skip


def python_of(cache: Path, environment: str) -> Path:
    """The interpreter of an environment. Raises DeviceError where it is not there."""
    python = cache / "envs" / environment / "bin" / "python"
    if not python.is_file():
        raise DeviceError(f"there is no environment {python}", "Make it with: make bench-peers")
    return python


def node_packages(cache: Path, environment: str) -> Path | None:
    """The folder of an environment's packages for node; None where it is one for Python."""
    folder = cache / "envs" / environment / "node_modules"
    return folder if folder.is_dir() else None


def command_of(cache: Path, environment: str, script: Path) -> list[str]:
    """What runs a worker's script, named without its suffix. Raises DeviceError where the environment is not there."""
    if not node_packages(cache, environment):
        return [str(python_of(cache, environment)), f"{script}.py"]
    node = shutil.which("node")
    if not node:
        raise DeviceError(f"there is no node for {environment}", "Install node 20 or newer")
    return [node, f"{script}.cjs"]


def versions(cache: Path, environment: str) -> dict[str, str]:
    """Name to version of the packages of an environment that matter."""
    if packages := node_packages(cache, environment):
        wanted = json.loads((packages.parent / "package.json").read_text(encoding="utf-8"))["dependencies"]
        return {name: _node_version(packages / name) for name in wanted} | {"node": _said(["node", "--version"])}
    found = json.loads(_said([str(python_of(cache, environment)), "-m", "pip", "list", "--format", "json"]))
    by_name = {package["name"].lower().replace("_", "-"): package["version"] for package in found}
    return {name: by_name[name] for name in _PACKAGES if name in by_name}


def _node_version(package: Path) -> str:
    return str(json.loads((package / "package.json").read_text(encoding="utf-8"))["version"])


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
