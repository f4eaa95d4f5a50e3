"""What a machine must have for a device, each with how to see that it is missing and what to type then."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.machine.devices import Device


@dataclass(frozen=True)
class Lack:
    """What is missing for a device, and the next command; None where that is to install something."""

    what: str
    mend: str | None = None


@dataclass(frozen=True)
class Wanted:
    """What is to run: one of these variants of a bundle."""

    bundle: Path
    variants: tuple[VariantEntry, ...]


Need = Callable[[Device, "Wanted | None"], Lack | None]


def lacks(device: Device, wanted: Wanted | None = None) -> Iterator[Lack]:
    """What this machine lacks for a device, one after the other, so that whoever wants one asks for no more.

    TensorRT is not touched, nor is a session opened: where no driver answers, both would crash or fall back in silence.
    """
    for need in device.needs:
        if lack := NEEDS[need](device, wanted):
            yield lack


def next_command(device: Device, missing: Sequence[Lack]) -> str:
    """What to type for what is missing, a line each; what to install depends on the machine, which is looked at."""
    from edgener_runtime.machine.probe.record import install_command

    lines = [lack.mend or install_command(device.name) for lack in missing]
    return "\n".join(dict.fromkeys(lines))


def _provider(device: Device, wanted: Wanted | None) -> Lack | None:
    """A list of what onnxruntime was compiled with, so that it says nothing of the machine."""
    from edgener_runtime.backends.onnxruntime.library import load_onnxruntime

    if device.provider in load_onnxruntime().get_available_providers():
        return None
    return Lack(f"this onnxruntime was built without {device.provider}")


def _one_onnxruntime(device: Device, wanted: Wanted | None) -> Lack | None:
    found = onnxruntime_packages()
    if len(found) < 2:
        return None
    return Lack(f"{' and '.join(found)} are both installed and overwrite each other's files")


def onnxruntime_packages() -> list[str]:
    """The installed distributions that bring a module `onnxruntime`; pip sees no conflict between them."""
    from importlib.metadata import packages_distributions

    return sorted(set(packages_distributions().get("onnxruntime", [])))


def _driver(device: Device, wanted: Wanted | None) -> Lack | None:
    from edgener_runtime.machine.probe.cuda import cuda_driver

    why = cuda_driver().why
    return Lack(why) if why else None


def _tensorrt(device: Device, wanted: Wanted | None) -> Lack | None:
    """Looked for without importing it."""
    from importlib.util import find_spec

    from edgener_runtime.backends.tensorrt.backend import BACKENDS

    modules = (name for backend in BACKENDS.values() for name in (backend.module, backend.bindings))
    if any(find_spec(name) for name in modules):
        return None
    return Lack("TensorRT's Python module (tensorrt) is not installed")


def _engine(device: Device, wanted: Wanted | None) -> Lack | None:
    bundle = wanted.bundle if wanted else Path("BUNDLE")
    names = {variant.name for variant in wanted.variants} if wanted else set()
    if names & set(prepared(bundle)):
        return None
    return Lack(f"no engine was prepared for {bundle}", f"edgener-runtime prepare {shlex.quote(str(bundle))}")


def _variant(device: Device, wanted: Wanted | None) -> Lack | None:
    if wanted is None or any(device.provider in variant.requirements.providers for variant in wanted.variants):
        return None
    names = ", ".join(variant.name for variant in wanted.variants)
    return Lack(f"{names} does not run there", "Choose another variant or another device.")


def prepared(bundle: Path) -> list[str]:
    """The variants of a bundle for which an engine lies beside it; whether it fits is seen when it is loaded."""
    from edgener_runtime.backends.tensorrt.paths import engines_folder

    return sorted(file.stem for file in engines_folder(bundle).glob("*.engine"))


def _jetson(device: Device, wanted: Wanted | None) -> Lack | None:
    from edgener_runtime.machine.probe.jetson import jetson

    if jetson():
        return None
    return Lack("this machine is no Jetson by its system files", "Take --device cuda or --device tensorrt")


NEEDS: dict[str, Need] = {
    "provider": _provider,
    "one onnxruntime": _one_onnxruntime,
    "driver": _driver,
    "tensorrt": _tensorrt,
    "engine": _engine,
    "variant": _variant,
    "jetson": _jetson,
}
