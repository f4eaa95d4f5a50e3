from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import edgener_runtime
from edgener.fleet.wheel import check_wheel, runtime_wheel
from edgener_runtime.errors import UserInputError


def test_pip_takes_the_wheel_and_what_is_in_it_runs(tmp_path: Path) -> None:
    wheel, site = runtime_wheel(tmp_path), tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target"]
    subprocess.run([*pip, site, wheel], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "edgener_runtime", "--version"], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(site)}, check=True,
    )  # fmt: skip
    assert done.stdout == f"edgener-runtime, version {edgener_runtime.__version__}\n"
    assert (site / "bin" / "edgener-runtime").is_file()


def test_every_file_of_the_runtime_is_in_it(tmp_path: Path) -> None:
    root = Path(edgener_runtime.__file__).parent
    files = {f"edgener_runtime/{path.relative_to(root).as_posix()}" for path in root.rglob("*") if path.is_file()}
    with zipfile.ZipFile(runtime_wheel(tmp_path)) as archive:
        inside = {name for name in archive.namelist() if name.startswith("edgener_runtime/")}
    assert inside == {name for name in files if not name.endswith(".pyc")}
    assert {name for name in inside if not name.endswith(".py")}  # pages and styles too


@pytest.mark.parametrize("name", ["edgener_runtime-0.1.0.tar.gz", "other-0.1.0.whl", "edgener_runtime-0.1.0.whl"])
def test_what_is_not_a_wheel_of_the_runtime_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("no zip")
    with pytest.raises(UserInputError, match="is not a wheel of edgener-runtime"):
        check_wheel(file)
