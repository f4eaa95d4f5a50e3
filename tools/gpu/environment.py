"""environment.py FOLDER: an environment in FOLDER/venv with what the GPU checks need; exit code 1 if it has no CUDA.

Where $VENV names an environment, nothing is made or installed, and that one is looked at.

Packages of the Python that runs this are used as they are. Its onnxruntime is hidden: onnxruntime-gpu may not stand
beside it. What is missing is installed, from the wheels in $WHEELS if that is set, else from the package index. What
cannot be installed is reported, and the rest goes on.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[2]
HIDDEN = ("onnxruntime",)
TEST_TOOLS = ("pytest", "hypothesis")  # and pytest's plugins
# Each is tried until one can be installed; without the extras, CUDA's libraries are those of torch.
ONNXRUNTIME = ("onnxruntime-gpu[cuda,cudnn]>=1.27", "onnxruntime-gpu>=1.23")
REPORT = """
import onnxruntime, torch
print("torch", torch.__version__, "CUDA", torch.version.cuda, "available:", torch.cuda.is_available())
print("onnxruntime", onnxruntime.__version__, onnxruntime.get_available_providers())
raise SystemExit(not (torch.cuda.is_available() and "CUDAExecutionProvider" in onnxruntime.get_available_providers()))
"""


def requirements(root: Path) -> list[str]:
    """What both distributions require of others, the tools of the tests, and what reads the GPU's energy."""
    build, device = (
        tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")) for folder in (root, root / "runtime")
    )
    needed = [line for table in (build, device) for line in table["project"]["dependencies"]]
    lines = [line for line in build["dependency-groups"]["dev"] if isinstance(line, str)]  # a table includes a group
    tools = [line for line in lines if line.startswith(TEST_TOOLS)]
    return [*(line for line in needed if not line.startswith("edgener")), *tools, "nvidia-ml-py"]


def encoders(root: Path) -> list[str]:
    """The packages that bring pretrained encoders."""
    lines = (root / "encoders.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def borrow(folder: Path, sites: list[Path]) -> Path:
    """A folder of links to what lies in `sites`, the first that has a name; pip leaves alone what lies outside."""
    folder.mkdir()
    for entry in (entry for site in sites for entry in sorted(site.iterdir())):
        hidden = re.split(r"[-.]", entry.name)[0].startswith(HIDDEN)
        if not hidden and not entry.name.startswith("__pycache__") and not (folder / entry.name).is_symlink():
            (folder / entry.name).symlink_to(entry)
    return folder


def make(folder: Path, sites: list[Path]) -> Path:
    """The Python of a new environment that sees those packages."""
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    site = folder / "venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (site / "borrowed.pth").write_text(f"{borrow(folder / 'borrowed', sites)}\n", encoding="utf-8")
    return python


def install(python: Path, *words: str) -> bool:
    """Whether pip could install that into the environment."""
    wheels = os.environ.get("WHEELS")
    source = ["--no-index", "--find-links", wheels] if wheels else ["--retries", "0", "--timeout", "10"]
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *source, *words]
    return subprocess.run(command, check=False).returncode == 0


def missing(python: Path, lines: list[str]) -> list[str]:
    """Those of which no version at all is there: pip takes a second for each."""
    code = "import importlib.metadata as m; print(*(str(d.metadata['Name']) for d in m.distributions()))"
    printed = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout
    found = {normal(name) for name in printed.split()}
    return [line for line in lines if normal(re.split(r"[<>=\[ ]", line)[0]) not in found]


def normal(name: str) -> str:
    """A distribution's name in the spelling of the package index."""
    return re.sub(r"[-_.]+", "-", name).lower()


def install_all(python: Path) -> Iterator[str]:
    """Install what is missing, and give what could not be installed; one by one where it is not possible at once."""
    needed = requirements(ROOT)
    if not install(python, *needed):
        yield from (line for line in missing(python, needed) if not install(python, line))
    if not any(install(python, line) for line in ONNXRUNTIME):
        yield ONNXRUNTIME[-1]
    yield from (line for line in encoders(ROOT) if not install(python, "--no-deps", line))


def prepared(folder: Path) -> Path:
    """The Python of the environment that was made, with what could not be installed on stdout."""
    sites = [Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    python = make(folder, [site for site in sites if site.is_dir()])
    for line in install_all(python):
        print("not installed:", line)  # noqa: T201
    return python


def main(folder: Path) -> int:
    """Whether PyTorch and onnxruntime have CUDA in the environment."""
    given = os.environ.get("VENV")
    python = Path(given) / "bin" / "python" if given else prepared(folder)
    return subprocess.run([python, "-c", REPORT], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
