"""Built distributions, and environments that hold nothing of ours but what is installed into them."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What would make the checkout importable, or pip talk about itself.
_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "VIRTUAL_ENV")
_QUIET = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONNOUSERSITE": "1", "TOKENIZERS_PARALLELISM": "false"}


@dataclass(frozen=True)
class Environment:
    """A virtual environment; its commands run in a folder that holds nothing."""

    folder: Path
    cwd: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """A command of the environment: `python`, or a script that was installed."""
        return self._run(self.folder / "bin" / command, *arguments)

    def answer(self, command: str, *arguments: object) -> str:
        """The stdout of a command that must succeed."""
        done = self.run(command, *arguments)
        assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def install(self, *requirements: object) -> None:
        """With this Python's pip: the environment needs none of its own."""
        done = self._run(sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", *requirements)
        assert done.returncode == 0, done.stderr

    def run_line(self, line: str) -> None:
        """What a shell makes of a line with `pip`."""
        pip = f'pip() {{ "{sys.executable}" -m pip --python "{self.python}" --quiet "$@"; }}'
        done = self._run("/bin/sh", "-c", f"{pip}; {line}")
        assert done.returncode == 0, done.stderr

    def type_check(self, file: str) -> str:
        """What this Python's mypy prints of a file in `cwd` whose imports are installed here."""
        return self._run(sys.executable, "-m", "mypy", "--strict", "--python-executable", self.python, file).stdout

    def borrow(self, folders: Sequence[Path]) -> None:
        """Import what lies in these folders as well, behind what is installed here. Their .pth files are not read, so
        what is editable there is not importable here."""
        (self.site / "borrowed.pth").write_text("".join(f"{folder}\n" for folder in folders), encoding="utf-8")

    @property
    def site(self) -> Path:
        """Where its packages are installed."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.folder / "lib" / version / "site-packages"

    def _run(self, *words: object) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name not in _OURS}
        command = [str(word) for word in words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.cwd, env=kept | _QUIET)


def third_party() -> list[Path]:
    """The folders that hold this environment's packages."""
    return [Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both wheels and both source distributions, built of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [ROOT / "tools" / "make_wheels.sh", sys.executable, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Environment]:
    """Each call makes an empty environment."""

    def make() -> Environment:
        folder, cwd = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("empty")
        venv.create(folder, with_pip=False, symlinks=True)
        return Environment(folder, cwd)

    return make
