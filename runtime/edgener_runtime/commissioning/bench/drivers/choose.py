"""Who sends the queries: the driver that is built in, or MLPerf's own load generator; both by the same rules."""

from __future__ import annotations

from importlib.util import find_spec

from edgener_runtime.base.install import install_line
from edgener_runtime.errors import ProviderError, UserInputError

from .load import Driven, Driver, Load, System

LOADGEN_MODULE = "mlperf_loadgen"


def drive_builtin(system: System, load: Load) -> Driven:
    """Send a load by the rules of MLPerf's load generator, with nothing but Python and its clock."""
    from .builtin import drive

    return drive(system, load)


def drive_loadgen(system: System, load: Load) -> Driven:
    """Send a load through MLPerf's load generator. Raises ProviderError where it is not installed."""
    require_loadgen()
    from .loadgen import drive

    return drive(system, load)


DRIVERS: dict[str, Driver] = {"builtin": drive_builtin, "loadgen": drive_loadgen}


def pick_driver(name: str) -> tuple[str, Driver]:
    """The driver of a name, which for `auto` is the load generator where it is installed, else the built-in one.

    Raises ProviderError where the load generator was asked for and is not installed, UserInputError for other names.
    """
    if name == "auto":
        name = "loadgen" if find_spec(LOADGEN_MODULE) else "builtin"
    if name not in DRIVERS:
        raise UserInputError(f"there is no driver {name!r}", f"Choose among auto, {', '.join(DRIVERS)}.")
    if name == "loadgen":
        require_loadgen()
    return name, DRIVERS[name]


def require_loadgen() -> None:
    """Raises ProviderError with the install line where MLPerf's load generator is not installed."""
    if not find_spec(LOADGEN_MODULE):
        raise ProviderError(
            "MLPerf's load generator (mlcommons-loadgen) is not installed",
            f"Take the driver that is built in, --driver builtin, or install it: {install_line('bench')}",
        )
