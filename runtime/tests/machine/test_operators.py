"""Operators of edgener-ops: from the installed package alone, new enough, on a CPU that they have kernels for."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edgener_runtime.machine.operators import missing_operators, operators_library, operators_note

pytestmark = pytest.mark.compat

LIBRARY = "libedgener_ops.so"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An installed edgener_ops, to be changed; its library is an empty file."""
    found: Any = ModuleType("edgener_ops")
    found.__file__ = str(tmp_path / "edgener_ops" / "__init__.py")
    library = tmp_path / "edgener_ops" / LIBRARY
    library.parent.mkdir()
    library.touch()
    found.OPSET_VERSION, found.library_path, found.instruction_sets = 2, lambda: library, lambda: ("avx2",)
    monkeypatch.setitem(sys.modules, "edgener_ops", found)
    return found


def test_a_graph_without_operators_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "edgener_ops", None)
    assert missing_operators(0) is None


@pytest.mark.parametrize("version", [1, 2])
def test_the_installed_package_is_used(version: int, package: Any, tmp_path: Path) -> None:
    assert missing_operators(version) is None
    assert operators_library() == tmp_path / "edgener_ops" / LIBRARY and operators_library().is_absolute()
    assert operators_note() == "operators of edgener-ops, version 2, on avx2"


def test_what_is_not_installed_is_missing_with_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "edgener_ops", None)
    missing = missing_operators(1)
    assert missing is not None and "not installed" in missing.what
    assert missing.fix is not None and "[ops]" in missing.fix and missing.fix.startswith("pip install ")


def raises(error: Exception) -> Any:
    def fail() -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"OPSET_VERSION": 1}, "have version 2, the installed edgener-ops has 1"),
        ({"instruction_sets": lambda: ()}, "no kernels for the instruction sets of this CPU"),
        ({"instruction_sets": raises(OSError("cannot open shared object file"))}, "cannot open shared object file"),
        ({"library_path": lambda: Path("edgener_ops") / LIBRARY}, "is not a file of the package"),
        ({"library_path": lambda: Path("/usr/lib/libedgener_ops.so")}, "is not a file of the package"),
    ],
)
def test_what_cannot_be_used_is_missing_with_the_reason(change: dict[str, Any], what: str, package: Any) -> None:
    for name, value in change.items():
        setattr(package, name, value)
    missing = missing_operators(2)
    assert missing is not None and what in missing.what and missing.fix


def test_a_package_without_its_names_is_missing(package: Any) -> None:
    del package.OPSET_VERSION
    missing = missing_operators(1)
    assert missing is not None and "OPSET_VERSION" in missing.what


def test_a_link_out_of_the_package_is_not_its_file(package: Any, tmp_path: Path) -> None:
    outside = tmp_path / "bundle" / LIBRARY
    outside.parent.mkdir()
    outside.touch()
    package.library_path().unlink()
    package.library_path().symlink_to(outside)
    missing = missing_operators(1)
    assert missing is not None and "is not a file of the package" in missing.what
