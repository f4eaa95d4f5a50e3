"""A probe as lines for a person, and the tables of devices and platforms for the docs."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator

from edgener_runtime.base.tables import markdown_table
from edgener_runtime.machine.devices import DEVICES, NOT_RUN, Device
from edgener_runtime.machine.requirements import described_requirements

from .jetson import Jetson
from .libraries import LOADED
from .machine import Cpu, Memory
from .platforms import JETPACK_HEADINGS, TOOLKIT_HEADINGS, jetpack_rows, toolkit_rows
from .power import total_milliwatts
from .record import Probe
from .states import DeviceState

_READY = "{}: {}; ready means that nothing they require is missing"
_WIDTHS, _COLUMN = (80, 120), 14
_DEVICE_HEADINGS = ("device", "runs on", "requires", "run on such a device")


def describe(found: Probe) -> list[str]:
    """What was found, topic by topic, and what is missing for each device."""
    topics = [
        ("machine", _machine(found.cpu)),
        ("memory", _memory(found.memory)),
        ("python", found.packages.python or "unknown: these are a copy's files"),
        ("packages", ", ".join(f"{package.name} {package.version}" for package in found.packages.installed) or "none"),
        ("driver", _driver(found)),
        *(("gpu", _gpu(found, index)) for index in range(len(found.driver.gpus))),
        ("libraries", _libraries(found)),
        *(_board(found.jetson) if found.jetson else [("jetson", "no")]),
    ]
    devices = [(state.name, line) for state in found.devices for line in _state(state)]
    not_run = _READY.format(", ".join(state.name for state in found.devices if not state.proven), NOT_RUN)
    lines = [line for name, text in topics for line in rows(name, text)]
    return [*lines, "", *_table(devices), "", *textwrap.wrap(not_run, page_width(), break_on_hyphens=False)]


def page_width() -> int:
    """The columns of the terminal within 80 and 120; 80 where there is none, as in the log of a build."""
    least, most = _WIDTHS
    return min(most, max(least, shutil.get_terminal_size((least, 1)).columns))


def rows(name: str, text: str) -> Iterator[str]:
    """A name and a text beside it, folded to the width of the page."""
    lines = textwrap.wrap(text, page_width() - _COLUMN, break_long_words=False, break_on_hyphens=False) or [""]
    for index, line in enumerate(lines):
        yield f"{name if index == 0 else '':<{_COLUMN}}{line}"


def _table(cells: list[tuple[str, str]]) -> Iterator[str]:
    previous = ""
    for name, text in cells:
        yield from rows(name if name != previous else "", text)
        previous = name


def _state(state: DeviceState) -> list[str]:
    if state.ready:
        return ["ready"]
    return [*(f"missing: {what}" for what in state.missing), f"next: {state.install}"]


def _machine(cpu: Cpu) -> str:
    use = f"{cpu.usable} of {cpu.cores} cores usable" if cpu.usable is not None else f"{cpu.cores} cores"
    limit = f", {cpu.limit:g} by the cgroup" if cpu.limit is not None else ""
    return f"{cpu.architecture}, {cpu.model}, {cpu.isa}; {use}{limit}"


def _memory(memory: Memory) -> str:
    facts = ((memory.total, ""), (memory.left, " left"), (memory.limit, " by the cgroup"))
    return ", ".join(f"{size / 1e9:.1f} GB{what}" for size, what in facts if size is not None) or "unknown"


def _driver(found: Probe) -> str:
    driver = found.driver
    serves = f"serves CUDA {driver.version}" if driver.version else ""
    return "; ".join(filter(None, [serves, driver.why]))


def _gpu(found: Probe, index: int) -> str:
    gpu = found.driver.gpus[index]
    return f"{gpu.name}, compute capability {gpu.compute_capability}, {gpu.memory / 1e9:.1f} GB"


def _libraries(found: Probe) -> str:
    """Each with its version, and where it was found if the loader does not find it."""
    named = (
        f"{library.name} {library.version}" + (f" ({library.found})" if library.found != LOADED else "")
        for library in found.libraries
    )
    return ", ".join(dict.fromkeys(named)) or "none of CUDA, cuDNN and TensorRT"


def _board(board: Jetson) -> Iterator[tuple[str, str]]:
    release = f"Jetson Linux {board.l4t or 'unknown'}, JetPack {board.jetpack or 'unknown'}"
    yield "jetson", f"{board.model}; {board.soc or 'unknown chip'}, {release}"
    capability = f"compute capability {board.compute_capability or 'unknown'}"
    yield "", f"{capability}, power mode {board.power_mode or 'unknown'}, {board.dla_cores} DLA cores"
    total = total_milliwatts(board.rails)
    if total is not None:
        yield "power", f"{total / 1000:.2f} W: " + ", ".join(f"{r.name} {r.milliwatts / 1000:.2f}" for r in board.rails)
    for clock in board.clocks:
        megahertz = (value / 1e6 for value in (clock.now, clock.least, clock.most))
        yield "clock", "{}: {:.0f} MHz, {:.0f} to {:.0f}".format(clock.name, *megahertz)
    if board.temperatures:
        yield "celsius", ", ".join(f"{zone.zone} {zone.celsius:.1f}" for zone in board.temperatures)


def devices_table() -> str:
    """The table of devices in Markdown, as docs/how-to/runtime.md has it."""
    return markdown_table(_DEVICE_HEADINGS, map(_device_row, DEVICES.values())).rstrip("\n")


def _device_row(device: Device) -> tuple[str, ...]:
    required = [described_requirements(device)] if device.requirements else []
    *others, last = device.stands_for or ("",)
    required += [f"what {', '.join(others)} or {last} requires"] if last else []
    return f"`{device.name}`", device.description, ", and ".join(required), device.run_on or f"**{NOT_RUN}**"


def platforms_page() -> str:
    """The tables of platforms in Markdown, as docs/reference/devices.md has them."""
    jetpacks = markdown_table(JETPACK_HEADINGS, jetpack_rows())
    return f"{jetpacks}\n{markdown_table(TOOLKIT_HEADINGS, toolkit_rows())}".rstrip("\n")
