"""An environment that holds the runtime as a device has it: its wheel, what that requires, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


def device_python(cache: Path, operators: bool = False) -> Path:
    """The Python of an environment below `cache`, with the wheel built from the runtime as it stands now.

    With `operators` it also has edgener-ops, for which a compiler is needed.
    """
    python = cache / "venv" / "bin" / "python"
    if not python.exists():
        _run(sys.executable, "-m", "venv", cache / "venv")
    _run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", cache, ROOT / "runtime")
    [wheel] = cache.glob("*.whl")
    _run(python, *_PIP, "install", f"{wheel}[cpu]")
    _run(python, *_PIP, "install", "--no-deps", "--force-reinstall", wheel)  # the same version may hold other code
    if operators:
        _run(python, *_PIP, "install", "--no-deps", "--force-reinstall", ROOT / "runtime" / "ops")
    return python


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
