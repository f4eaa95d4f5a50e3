"""The differences between two benchmark results, by aspect; a comparison is of one aspect."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from edgener_runtime.commissioning.bench.results.record import BenchResult
from edgener_runtime.errors import UserInputError

from .match import DIMENSIONS, RowPair

_GIB = 1 << 30
_SHA = 12  # hexadecimal digits that name a file well enough


@dataclass(frozen=True)
class Difference:
    """One thing that differs: its aspect, its name, and its value in the first and in the other."""

    aspect: str
    name: str
    base: str
    other: str

    def __str__(self) -> str:
        return f"{self.aspect}: {self.name} is {self.other}, against {self.base}"


@dataclass(frozen=True)
class _Trait:
    """How a thing is read from a result; one `with_machine` is not reported where the machine differs."""

    aspect: str
    name: str
    read: Callable[[BenchResult], Any]
    with_machine: bool = False


def _machine(name: str) -> Callable[[BenchResult], Any]:
    return lambda result: getattr(result.fingerprint, name)


def _memory(result: BenchResult) -> int | None:
    """In GiB: kernels keep a little more or less of the same memory for themselves."""
    memory = result.fingerprint.memory
    return None if memory is None else round(memory / _GIB)


_TRAITS = (
    _Trait("machine", "the CPU", _machine("cpu")),
    _Trait("machine", "its instruction set", _machine("isa")),
    _Trait("machine", "the architecture", _machine("architecture")),
    _Trait("machine", "memory in GiB", _memory),
    _Trait("machine", "the board", _machine("board")),
    _Trait("machine", "the GPUs", _machine("gpus")),
    _Trait("system", "the operating system", _machine("os"), with_machine=True),
    _Trait("system", "the kernel", _machine("kernel"), with_machine=True),
    _Trait("system", "the GPU's driver", _machine("driver"), with_machine=True),
    _Trait("system", "JetPack", _machine("jetpack"), with_machine=True),
    _Trait("limits", "cores that may be used", _machine("cores"), with_machine=True),
    _Trait("limits", "the container", _machine("container")),
    _Trait("limits", "the container's cores", _machine("core_limit")),
    _Trait("limits", "the container's memory", _machine("memory_limit")),
    _Trait("power", "the governor", _machine("governor")),
    _Trait("power", "boost", _machine("boost")),
    _Trait("power", "the power mode", _machine("power_mode")),
    _Trait("bundle", "the bundle", lambda result: f"{result.bundle} ({result.bundle_sha256[:_SHA]})"),
    _Trait("edgener", "edgener", lambda result: result.edgener_version),
    _Trait("load", "what sends the queries", lambda result: result.driver),
)
ASPECTS = (*dict.fromkeys(trait.aspect for trait in _TRAITS), "libraries", "texts", *DIMENSIONS)


def differences(base: BenchResult, other: BenchResult, pairs: Collection[RowPair]) -> tuple[Difference, ...]:
    """All differences between two results and their paired rows, in the order of ASPECTS."""
    found = [*_traits(base, other), *_libraries(base, other, pairs), *_texts(base, other), *_cases(pairs)]
    return tuple(sorted(dict.fromkeys(found), key=lambda difference: ASPECTS.index(difference.aspect)))


def aspects_of(found: Collection[Difference]) -> tuple[str, ...]:
    """The aspects in which something differs."""
    return tuple(dict.fromkeys(difference.aspect for difference in found))


def check_comparable(name: str, found: Collection[Difference], across: Collection[str]) -> None:
    """Raises UserInputError where more than one aspect differs besides those that may (`across`)."""
    against = [aspect for aspect in aspects_of(found) if aspect not in across]
    if len(against) <= 1:
        return
    listed = "\n".join(f"  {difference}" for difference in found if difference.aspect in against)
    raise UserInputError(
        f"{name} differs from the first file in more than one aspect, so the cause of a slowdown would be unknown:\n"
        f"{listed}",
        f"Measure again with one aspect changed, or name those that may differ: --across {','.join(against[1:])}",
    )


def _traits(base: BenchResult, other: BenchResult) -> Iterator[Difference]:
    moved = any(trait.aspect == "machine" and trait.read(base) != trait.read(other) for trait in _TRAITS)
    for trait in _TRAITS:
        values = trait.read(base), trait.read(other)
        silent = moved and (trait.with_machine or (trait.aspect != "machine" and None in values))
        if values[0] != values[1] and not silent:
            yield Difference(trait.aspect, trait.name, *map(_words, values))


def _libraries(base: BenchResult, other: BenchResult, pairs: Collection[RowPair]) -> Iterator[Difference]:
    ours, theirs = base.fingerprint.libraries, other.fingerprint.libraries
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            yield Difference("libraries", name, _words(ours.get(name)), _words(theirs.get(name)))
    for pair in pairs:
        for name, aspect in (("library", "libraries"), ("provider", "device")):
            values = getattr(pair.base, name), getattr(pair.other, name)
            if None not in values and values[0] != values[1]:
                yield Difference(aspect, f"the {name}", *values)


def _texts(base: BenchResult, other: BenchResult) -> Iterator[Difference]:
    theirs = {work.name: work for work in other.workloads}
    for work in base.workloads:
        if (found := theirs.get(work.name)) and found.sha256 != work.sha256:
            yield Difference("texts", f"the text {work.name}", work.sha256[:_SHA], found.sha256[:_SHA])


def _cases(pairs: Collection[RowPair]) -> Iterator[Difference]:
    for pair in pairs:
        for name in DIMENSIONS:
            values = getattr(pair.base.case, name), getattr(pair.other.case, name)
            if values[0] != values[1]:
                yield Difference(name, f"the {name}", *map(str, values))


def _words(value: Any) -> str:
    """A value in words."""
    if value is None or value == ():
        return "not known"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
