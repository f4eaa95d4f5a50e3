"""NVIDIA's libraries are found where the loader finds them, in wheels, and where nobody does; none is loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgener_runtime.machine.probe import libraries as module
from edgener_runtime.machine.probe.libraries import (  # fmt: skip
    LOADED,
    UNLISTED,
    WHEEL,
    Library,
    find_libraries,
    library_folders,
    missing_libraries,
)

from .machines import libraries, library

pytestmark = pytest.mark.compat


def found(root: Path, *sites: Path) -> list[tuple[str, str, str]]:
    """Name, version and how found, of all."""
    return [(each.name, each.version, each.found) for each in find_libraries(library_folders(root, list(sites)))]


def test_a_jetsons_libraries_are_reported_once_each_by_their_longest_version(tmp_path: Path) -> None:
    folder = tmp_path / "usr" / "lib" / "aarch64-linux-gnu"
    libraries(folder, "libnvinfer.so.10.3.0", "libcudnn.so.9.3.0", "libnvinfer_plugin.so.10.3.0", "libother.so.1")
    for short in ("libnvinfer.so.10", "libnvinfer.so"):
        (folder / short).symlink_to("libnvinfer.so.10.3.0")
    (tmp_path / "lib").symlink_to("usr/lib")
    assert found(tmp_path) == [
        ("libcudnn", "9.3.0", LOADED), ("libnvinfer", "10.3.0", LOADED), ("libnvinfer_plugin", "10.3.0", LOADED),
    ]  # fmt: skip


def test_the_loaders_configuration_is_followed(tmp_path: Path) -> None:
    (tmp_path / "etc" / "ld.so.conf.d").mkdir(parents=True)
    (tmp_path / "etc" / "ld.so.conf").write_text("include /etc/ld.so.conf.d/*.conf\ninclude more/*.conf\n# /nowhere\n")
    (tmp_path / "etc" / "ld.so.conf.d" / "cuda.conf").write_text("/usr/local/cuda-12.6/lib64 # the toolkit\n\n")
    (tmp_path / "etc" / "more").mkdir()
    (tmp_path / "etc" / "more" / "x.conf").write_text("/opt/tensorrt\n")
    libraries(tmp_path / "usr" / "local" / "cuda-12.6" / "lib64", "libcudart.so.12.6.77")
    libraries(tmp_path / "opt" / "tensorrt", "libnvinfer.so.10")
    assert found(tmp_path) == [("libcudart", "12.6.77", LOADED), ("libnvinfer", "10", LOADED)]


def test_a_configuration_that_includes_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "ld.so.conf").write_text("include /etc/ld.so.conf\n/opt/x\n")
    libraries(tmp_path / "opt" / "x", "libcudart.so.13")
    assert found(tmp_path) == [("libcudart", "13", LOADED)]


def test_an_unlisted_toolkit_is_reported_as_such_and_does_not_count(tmp_path: Path) -> None:
    libraries(tmp_path / "usr" / "local" / "cuda" / "lib64", "libcudart.so.13")
    assert found(tmp_path) == [("libcudart", "13", UNLISTED)]
    provider = library(tmp_path / "provider.so", "libcudart.so.13")
    assert missing_libraries(provider, library_folders(tmp_path, [])) == ("libcudart.so.13",)


@pytest.mark.parametrize("folder", ["nvidia/cuda_runtime/lib", "nvidia/cu13/lib", "tensorrt_libs"])
def test_wheels_are_looked_into(folder: str, tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    libraries(site / folder, "libcudart.so.13")
    assert found(tmp_path, site) == [("libcudart", "13", WHEEL)]


def test_the_environments_folders_count_here_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    libraries(tmp_path / "own", "libcudart.so.11.4.298")
    monkeypatch.setenv("LD_LIBRARY_PATH", os.pathsep.join(["", str(tmp_path / "own"), str(tmp_path / "none")]))
    assert found(tmp_path) == []
    monkeypatch.setattr(module, "is_here", lambda root: True)
    assert found(tmp_path) == [("libcudart", "11.4.298", LOADED)]


def test_what_a_found_library_needs_counts_too(tmp_path: Path) -> None:
    """As on a Jetson whose libnvinfer asks for the compiler of a DLA that nobody installed."""
    folder = tmp_path / "usr" / "lib"
    library(folder / "libnvinfer.so.10", "libnvdla_compiler.so", "libcudart.so.12", "libstdc++.so.6")
    library(folder / "libcudart.so.12", "libnvinfer.so.10")  # a circle
    bindings = library(tmp_path / "tensorrt.so", "libnvinfer.so.10", "libpython3.10.so", "libnvonnxparser.so.10")
    folders = library_folders(tmp_path, [])
    assert sorted(missing_libraries(bindings, folders)) == ["libnvdla_compiler.so", "libnvonnxparser.so.10"]
    libraries(folder, "libnvdla_compiler.so", "libnvonnxparser.so.10")
    assert missing_libraries(bindings, folders) == ()


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert found(tmp_path) == []


def test_a_library_is_reported_with_its_file(tmp_path: Path) -> None:
    libraries(tmp_path / "lib", "libcufft.so.12")
    file = str(tmp_path / "lib" / "libcufft.so.12")
    assert find_libraries(library_folders(tmp_path, [])) == (Library("libcufft", "12", file, LOADED),)
