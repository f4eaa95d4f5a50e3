"""A probe as lines for a person."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from .jetson import Jetson
from .libraries import LOADED
from .machine import Cpu, Memory
from .platforms import JETPACK_HEADINGS, TOOLKIT_HEADINGS, jetpack_rows, toolkit_rows
from .power import total_milliwatts
from .providers import Provider
from .record import Probe

_NOT_RUN = "{}: not run on a device yet; ready means that no part they need is missing"
_WIDTH, _COLUMN = 120, 14


def describe(found: Probe) -> list[str]:
    """What was found, a topic a line or more, and what each device lacks."""
    topics = [
        ("machine", _machine(found.cpu)),
        ("memory", _memory(found.memory)),
        ("python", found.packages.python or "of a copy's files there is no telling"),
        ("packages", ", ".join(f"{package.name} {package.version}" for package in found.packages.installed) or "none"),
        ("driver", _driver(found)),
        *(("gpu", _gpu(found, index)) for index in range(len(found.driver.gpus))),
        ("libraries", _libraries(found)),
        *(_board(found.jetson) if found.jetson else [("jetson", "no")]),
    ]
    devices = [(provider.name, line) for provider in found.providers for line in _provider(provider)]
    not_run = _NOT_RUN.format(", ".join(provider.name for provider in found.providers if not provider.proven))
    return [line for name, text in topics for line in rows(name, text)] + ["", *_table(devices), "", not_run]


def rows(name: str, text: str) -> Iterator[str]:
    """A name and a text beside it, folded to the width of a page."""
    lines = textwrap.wrap(text, _WIDTH - _COLUMN, break_long_words=False, break_on_hyphens=False) or [""]
    for index, line in enumerate(lines):
        yield f"{name if index == 0 else '':<{_COLUMN}}{line}"


def _table(cells: list[tuple[str, str]]) -> Iterator[str]:
    previous = ""
    for name, text in cells:
        yield from rows(name if name != previous else "", text)
        previous = name


def _provider(provider: Provider) -> list[str]:
    if provider.ready:
        return ["ready"]
    return [*(f"missing: {lack}" for lack in provider.missing), f"next: {provider.install}"]


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
    """Each with its version, and how it is found where the loader alone would not."""
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


def platforms_page() -> str:
    """The tables of platforms in Markdown, as docs/devices.md has them."""
    jetpacks = _markdown(JETPACK_HEADINGS, jetpack_rows())
    return f"{jetpacks}\n\n{_markdown(TOOLKIT_HEADINGS, toolkit_rows())}"


def _markdown(headings: tuple[str, ...], cells: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [headings, ("---",) * len(headings), *cells])
