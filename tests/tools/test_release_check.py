"""The check before a release: this checkout passes, and each planted fault is found."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "tools" / "release_check.py"
FILES = (
    "pyproject.toml", "runtime/pyproject.toml", "runtime/ops/pyproject.toml", "edgener/__init__.py",
    "runtime/edgener_runtime/version.py", "CHANGELOG.md", "README.md", "runtime/README.md",
)  # fmt: skip
INSTALL_PAGE = next((ROOT / "docs").rglob("install.md")).relative_to(ROOT)
VERSION = "0.1.0"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release_check", PROGRAM)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that are read, as they are, in a folder of their own."""
    for name in (*FILES, INSTALL_PAGE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def dist(tmp_path: Path, check: ModuleType) -> Path:
    """Built files with little in them."""
    folder = tmp_path / "built"
    folder.mkdir()
    for name, packages in check.PACKAGES.items():
        files = [*(f"{package}/py.typed" for package in packages), "LICENSE"]
        for built in check.dist_files(name, VERSION):
            if built.endswith(".whl"):
                with zipfile.ZipFile(folder / built, "w") as archive:
                    for file in files:
                        archive.writestr(file, "")
            else:
                with tarfile.open(folder / built, "w:gz") as source:
                    for file in files:
                        source.addfile(tarfile.TarInfo(f"{name}-{VERSION}/{file}"))
    return folder


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_this_checkout_is_ready() -> None:
    done = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ready: ")


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("pyproject.toml", "]==0.1.0", "]>=0.1.0", "expected edgener-runtime[...]==0.1.0"),
        ("pyproject.toml", "]==0.1.0", "]==0.0.9", "expected edgener-runtime[...]==0.1.0"),
        ("runtime/pyproject.toml", 'version = "0.1.0"', 'version = "0.2.0"', "edgener-runtime has version 0.2.0"),
        ("runtime/ops/pyproject.toml", 'version = "0.1.0"', 'version = "0.2.0"', "edgener-ops has version 0.2.0"),
        ("edgener/__init__.py", '"0.1.0"', '"0.1.1"', "edgener/__init__.py does not say"),
        ("runtime/edgener_runtime/version.py", '"0.1.0"', '"0.1.1"', "edgener_runtime/version.py does not say"),
        ("CHANGELOG.md", "## 0.1.0", "## 0.0.9", "does not begin with a section for 0.1.0"),
        ("CHANGELOG.md", "\n- ", "\n", "has no entry for 0.1.0"),
        ("README.md", "# edgener", "# edgener\n\npip install edgener==0.0.9", "README.md:3 names version 0.0.9"),
        (str(INSTALL_PAGE), "edgener_runtime-0.1.0-", "edgener_runtime-0.0.9-", "names version 0.0.9, this is 0.1.0"),
        (str(INSTALL_PAGE), "0.1.0", "VERSION", "install.md does not name version 0.1.0"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(
    check: ModuleType, checkout: Path, file: str, old: str, new: str, problem: str
) -> None:
    assert check.problems(checkout) == []
    replace(checkout / file, old, new)
    assert any(problem in found for found in check.problems(checkout)), check.problems(checkout)


def test_an_older_section_with_entries_does_not_stand_in(check: ModuleType, checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## 0.1.0 (2026-12-01)\n\n## 0.0.9 (2026-11-01)\n\n- Old.\n")
    assert check.problems(checkout) == ["CHANGELOG.md has no entry for 0.1.0"]


@pytest.mark.parametrize(
    ("tag", "when", "expected"),
    [
        ("v0.1.0", "2026-12-01", []),
        ("v0.1.0", "unreleased", ["CHANGELOG.md: the section of 0.1.0 has no date, found 'unreleased'"]),
        ("0.1.0", "2026-12-01", ["the tag is 0.1.0, expected v0.1.0"]),
        ("v0.2.0", "2026-12-01", ["the tag is v0.2.0, expected v0.1.0"]),
    ],
)
def test_a_tag_is_the_version_and_a_release_has_a_date(
    check: ModuleType, checkout: Path, tag: str, when: str, expected: list[str]
) -> None:
    (checkout / "CHANGELOG.md").write_text(f"# Changelog\n\n## 0.1.0 ({when})\n\n- Something.\n")
    assert check.problems(checkout, tag) == expected


def test_whole_files_pass(check: ModuleType, checkout: Path, dist: Path) -> None:
    assert check.problems(checkout, dist=dist) == []


def _lose_a_wheel(dist: Path) -> None:
    (dist / f"edgener-{VERSION}-py3-none-any.whl").unlink()


def _keep_an_old_one(dist: Path) -> None:
    (dist / "edgener-0.0.9.tar.gz").touch()


def _lose_the_marker(dist: Path) -> None:
    with zipfile.ZipFile(dist / f"edgener_runtime-{VERSION}-py3-none-any.whl", "w") as archive:
        archive.writestr("LICENSE", "")


def _lose_the_licence(dist: Path) -> None:
    with tarfile.open(dist / f"edgener-{VERSION}.tar.gz", "w:gz") as archive:
        for package in ("edgener", "edgener_exporters"):
            archive.addfile(tarfile.TarInfo(f"edgener-{VERSION}/{package}/py.typed"))


@pytest.mark.parametrize(
    ("plant", "problem"),
    [
        (_lose_a_wheel, "edgener-0.1.0-py3-none-any.whl is missing from "),
        (_keep_an_old_one, "edgener-0.0.9.tar.gz is not expected in "),
        (_lose_the_marker, "edgener_runtime/py.typed is missing from edgener_runtime-0.1.0-py3-none-any.whl"),
        (_lose_the_licence, "LICENSE is missing from edgener-0.1.0.tar.gz"),
    ],
)
def test_a_fault_in_the_files_is_found(
    check: ModuleType, checkout: Path, dist: Path, plant: Callable[[Path], None], problem: str
) -> None:
    plant(dist)
    (found,) = check.problems(checkout, dist=dist)
    assert found.startswith(problem)


def test_the_exit_code_is_1_where_there_is_a_problem() -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, "--tag", "v9.9.9"], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 1 and "the tag is v9.9.9" in done.stderr
