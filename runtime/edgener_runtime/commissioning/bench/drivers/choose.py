"""The choice of a driver: the built-in one, or MLPerf's own load generator; both follow the same rules."""

from __future__ import annotations

from importlib.util import find_spec

from edgener_runtime.base.install import install_line
from edgener_runtime.errors import ProviderError, UserInputError

from .load import Driven, Load, LoadDriver, System

LOADGEN_MODULE = "mlperf_loadgen"


def drive_builtin(system: System, load: Load) -> Driven:
    """Send a load by the rules of MLPerf's load generator, in plain Python."""
    from .builtin import drive

    return drive(system, load)


def drive_loadgen(system: System, load: Load) -> Driven:
    """Send a load through MLPerf's load generator. Raises ProviderError if it is not installed."""
    require_loadgen()
    from .loadgen import drive

    return drive(system, load)


DRIVERS: dict[str, LoadDriver] = {"builtin": drive_builtin, "loadgen": drive_loadgen}


def pick_driver(name: str) -> tuple[str, LoadDriver]:
    """The driver with a name; `auto` is the load generator if it is installed, else the built-in one.

    Raises ProviderError if the load generator was requested and is not installed, UserInputError for other names.
    """
    if name == "auto":
        name = "loadgen" if find_spec(LOADGEN_MODULE) else "builtin"
    if name not in DRIVERS:
        raise UserInputError(f"there is no driver {name!r}", f"Choose among auto, {', '.join(DRIVERS)}.")
    if name == "loadgen":
        require_loadgen()
    return name, DRIVERS[name]


def require_loadgen() -> None:
    """Raises ProviderError with the install line if MLPerf's load generator is not installed."""
    if not find_spec(LOADGEN_MODULE):
        raise ProviderError(
            "MLPerf's load generator (mlcommons-loadgen) is not installed",
            f"Use the built-in driver, --driver builtin, or install it: {install_line('bench')}",
        )
