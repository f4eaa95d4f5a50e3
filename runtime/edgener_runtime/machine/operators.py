"""The operators of edgener-ops, an optional package: whether this machine has them, and where their library is."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from edgener_runtime.base.install import install_line

from .requirements import Missing

PACKAGE = "edgener-ops"
_ANOTHER = "Choose another variant."


def missing_operators(version: int) -> Missing | None:
    """What this machine is missing for a graph with the operators in a version, 0 for a graph without; or None."""
    if version == 0:
        return None
    try:
        package = _package()
        found, library, sets = package.OPSET_VERSION, package.library_path(), package.instruction_sets()
    except (ImportError, OSError, AttributeError) as error:
        return Missing(f"its operators are not installed ({error})", install_line("ops"), "operators")
    if found < version:
        what = f"its operators have version {version}, the installed {PACKAGE} has {found}"
        return Missing(what, install_line("ops"), "operators")
    if not _is_own(package, Path(library)):
        return Missing(f"{library} is not a file of the package {PACKAGE}", install_line("ops"), "operators")
    if not sets:
        return Missing(f"{PACKAGE} has no kernels for the instruction sets of this CPU", _ANOTHER, "operators")
    return None


def operators_library() -> Path:
    """The shared library, an absolute path in the installed package."""
    return Path(_package().library_path()).resolve()


def operators_note() -> str:
    """The version of the operators, and the instruction set that they use."""
    package = _package()
    return f"operators of {PACKAGE}, version {package.OPSET_VERSION}, on {package.instruction_sets()[0]}"


def _package() -> ModuleType:
    return import_module("edgener_ops")


def _is_own(package: ModuleType, library: Path) -> bool:
    """Whether a library lies in the folder of its package."""
    folder = Path(package.__file__ or "").resolve().parent
    return library.is_absolute() and library.is_file() and folder in library.resolve().parents
