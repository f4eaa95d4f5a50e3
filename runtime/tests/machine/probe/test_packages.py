"""Which packages are installed, and whether two of them are an onnxruntime."""

from __future__ import annotations

import platform
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from edgener_runtime.machine.probe.packages import Package, package_folders, packages
from edgener_runtime.machine.probe.reading import HERE

from .machines import distribution, onnxruntime

pytestmark = pytest.mark.compat


def test_packages_that_matter_are_reported(tmp_path: Path) -> None:
    for name, version in (
        ("numpy", "2.4.0"),
        ("nvidia_cudnn_cu13", "9.3"),
        ("Tensorrt-CU12", "10.3.0"),
        ("requests", "2"),
    ):
        distribution(tmp_path, name, version)
    found = packages(tmp_path, [tmp_path])
    assert found.installed == (
        Package("numpy", "2.4.0"), Package("nvidia-cudnn-cu13", "9.3"), Package("tensorrt-cu12", "10.3.0"),
    )  # fmt: skip
    assert found.python is None


def test_one_onnxruntime_has_no_fault(tmp_path: Path) -> None:
    onnxruntime(tmp_path, "onnxruntime-gpu", "1.31.1")
    found = packages(tmp_path, [tmp_path])
    assert (found.onnxruntime, found.faults) == ((Package("onnxruntime-gpu", "1.31.1"),), ())


def test_none_is_a_fault(tmp_path: Path) -> None:
    assert packages(tmp_path, [tmp_path]).faults == ("no onnxruntime is installed",)


def test_two_overwrite_each_other(tmp_path: Path) -> None:
    onnxruntime(tmp_path)
    onnxruntime(tmp_path, "onnxruntime-gpu", "1.31.1")
    assert packages(tmp_path, [tmp_path]).faults == (
        "onnxruntime 1.32.0 and onnxruntime-gpu 1.31.1 are installed together and overwrite each other's files",
    )


def test_one_whose_files_went_with_the_other_is_reported(tmp_path: Path) -> None:
    onnxruntime(tmp_path)
    (tmp_path / "onnxruntime" / "__init__.py").unlink()
    assert packages(tmp_path, [tmp_path]).faults == ("onnxruntime 1.32.0 is registered, but its files are gone",)


@pytest.mark.parametrize("name", ["onnxruntime-extensions", "onnxruntime-genai", "ortools"])
def test_another_module_of_such_a_name_is_none(name: str, tmp_path: Path) -> None:
    onnxruntime(tmp_path)
    distribution(tmp_path, name, "0.1", ["other/__init__.py"], "other")
    assert packages(tmp_path, [tmp_path]).onnxruntime == (Package("onnxruntime", "1.32.0"),)


def test_one_without_a_list_of_modules_is_known_by_its_files(tmp_path: Path) -> None:
    distribution(tmp_path, "onnxruntime-directml", "1.20", ["onnxruntime/__init__.py"])
    distribution(tmp_path, "onnxruntime-tools", "1.7", ["onnxruntime_tools/__init__.py"])
    assert packages(tmp_path, [tmp_path]).onnxruntime == (Package("onnxruntime-directml", "1.20"),)


def test_the_first_on_the_path_counts(tmp_path: Path) -> None:
    onnxruntime(tmp_path / "first", version="1.30.0")
    onnxruntime(tmp_path / "second", version="1.23.2")
    assert packages(tmp_path, [tmp_path / "first", tmp_path / "second"]).onnxruntime == (
        Package("onnxruntime", "1.30.0"),
    )


def test_a_damaged_package_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "broken-1.0.dist-info").mkdir()
    onnxruntime(tmp_path)
    assert packages(tmp_path, [tmp_path]).faults == ()


def test_this_python_agrees_with_the_standard_library() -> None:
    found = packages(HERE, package_folders(HERE))
    assert found.python == platform.python_version()
    assert {each.name for each in found.onnxruntime} == set(packages_distributions()["onnxruntime"])
    assert "edgener-runtime" in {each.name for each in found.installed}


def test_a_copys_packages_are_those_of_its_system(tmp_path: Path) -> None:
    site = tmp_path / "usr" / "lib" / "python3.10" / "dist-packages"
    distribution(site, "tensorrt", "10.3.0")
    assert packages(tmp_path, package_folders(tmp_path)).installed == (Package("tensorrt", "10.3.0"),)
