"""Checks of a TensorRT engine: made where there is none, every corner of its shapes, loaded and built again.

Tried with doubles on a CPU; not run on a device yet.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.errors import DeviceError, ParityError

from .answers import SAME, answer_all, band_of, compare
from .context import Bench, Outcome, skip

if TYPE_CHECKING:
    from edgener_runtime.backends.tensorrt.profiles import Shape
    from edgener_runtime.backends.tensorrt.sidecar import Sidecar
    from edgener_runtime.bundle.manifest import VariantEntry

_NO_ENGINE = "no TensorRT engine runs here"
_SOME = 4  # texts that are asked again of an engine that was loaded again
_MEGA = 1e6


def prepare(bench: Bench) -> Outcome:
    """Build the engine where it is asked for, not there, and can be built. Raises what a build raises."""
    from edgener_runtime.backends.tensorrt.profiles import profiles_for
    from edgener_runtime.commissioning.engines.build import Wanted, build_engine
    from edgener_runtime.machine.devices import engine_devices
    from edgener_runtime.pipeline import choose_variant

    request, manifest = bench.request, bench.manifest
    if request.device not in engine_devices():
        return skip(f"for {' and '.join(engine_devices())} only")
    entry, _ = choose_variant(manifest, request.variant, "tensorrt")
    missing = _missing(request.bundle, entry)
    if not missing:
        return Outcome("there is one; it is checked when it is loaded")
    if missing != ["engine"]:
        return skip(f"none can be built here for want of {', '.join(missing)}")
    profiles = profiles_for(_lengths(bench), manifest.tokenizer.max_length)
    built = build_engine(request.bundle, entry, profiles, Wanted())
    return Outcome(
        f"{entry.name} was built in {built.seconds:.1f} s for {built.gpu}",
        {"build_seconds": built.seconds, "engine_mb": built.engine_size / _MEGA},
    )


def corners(bench: Bench) -> Outcome:
    """Run the smallest, likeliest and largest shape of every profile, and hold their logits against the CPU's."""
    sidecar = sidecar_of(bench)
    if sidecar is None:
        return skip(_NO_ENGINE)
    shapes = sorted({shape for one in sidecar.profiles for shape in (one.minimum, one.optimum, one.maximum)})
    with bench.open_reference() as reference:
        differences = [_difference(bench, reference, shape) for shape in shapes]
    told = f"{len(shapes)} shapes of {len(sidecar.profiles)} profiles run"
    known = [difference for difference in differences if difference is not None]
    if not known:
        return Outcome(f"{told}, every number finite")
    band, worst = band_of(bench.variant), max(known)
    if worst > band:
        rows, subwords = shapes[differences.index(worst)]
        raise ParityError(
            f"logits of shape {rows}x{subwords} are {worst:.2g} from the CPU's, {band:.2g} allowed",
            "Build the engine again on this device: edgener-runtime prepare",
        )
    return Outcome(f"{told}, logits within {worst:.2g} of the CPU's", {"corners_largest_logit_difference": worst})


def reload(bench: Bench) -> Outcome:
    """Load the engine once more, without a build, and ask it again. Raises ParityError where it answers otherwise."""
    from edgener_runtime.pipeline import TokenClassifier

    if sidecar_of(bench) is None:
        return skip(_NO_ENGINE)
    request = bench.request
    begun = time.perf_counter()
    with TokenClassifier.load(request.bundle, request.device, bench.variant.name, request.threads) as again:
        seconds = time.perf_counter() - begun
        answers = answer_all(again, bench.texts[:_SOME])
    found = compare(answers, bench.answers, SAME)
    if found.differing > found.undecided or found.largest > SAME:
        raise ParityError(
            "the engine answers otherwise when it is loaded again", "Build it again: edgener-runtime prepare"
        )
    return Outcome(f"loaded again in {seconds:.2f} s, the same answers", {"reload_seconds": seconds})


def timing_cache(bench: Bench) -> Outcome:
    """Build once more, elsewhere, from the timings of the first build.

    Raises DeviceError where these were of no use: more was measured, and it took no less time.
    """
    from edgener_runtime.backends.tensorrt.paths import engines_folder
    from edgener_runtime.commissioning.engines.build import Wanted, build_engine

    first = sidecar_of(bench)
    if first is None:
        return skip(_NO_ENGINE)
    engines = engines_folder(bench.request.bundle)
    before = _sizes(engines)
    if not before:
        return skip(f"{first.backend} keeps no timings")
    with tempfile.TemporaryDirectory(dir=engines.parent, prefix=".selftest.") as folder:
        bundle = _linked(bench.request.bundle, Path(folder))
        wanted = Wanted(first.backend, first.options, timing_cache=engines)
        second = build_engine(bundle, bench.variant, first.profiles, wanted)
    told = f"{first.seconds:.1f} s, and {second.seconds:.1f} s from its timings"
    if _sizes(engines) != before and second.seconds >= first.seconds:
        raise DeviceError(f"timings were not taken up: {told}", "Remove the *.cache files beside the engine.")
    return Outcome(told, {"second_build_seconds": second.seconds})


def sidecar_of(bench: Bench) -> Sidecar | None:
    """What is known of the engine that is loaded, or None where none is."""
    from edgener_runtime.backends.tensorrt.paths import engine_file
    from edgener_runtime.backends.tensorrt.session import PROVIDER
    from edgener_runtime.backends.tensorrt.sidecar import read_sidecar, rebuild_command

    bundle, name = bench.request.bundle, bench.variant.name
    if bench.classifier.provider != PROVIDER:
        return None
    return read_sidecar(engine_file(bundle, name), rebuild_command(bundle, name))


def _missing(bundle: Path, entry: VariantEntry) -> list[str]:
    """What this machine does not have for TensorRT, by the names of the table."""
    from edgener_runtime.backends.requirements import RunRequest, missing_here
    from edgener_runtime.machine.devices import DEVICES

    return [missing.requirement for missing in missing_here(DEVICES["tensorrt"], RunRequest(bundle, (entry,)))]


def _lengths(bench: Bench) -> list[int]:
    """Those of the texts that were given; made-up ones are like no real ones."""
    from edgener_runtime.backends.tensorrt.profiles import window_lengths
    from edgener_runtime.text.tokenize import TextTokenizer

    if bench.request.texts is None:
        return []
    settings = bench.manifest.tokenizer
    return window_lengths(TextTokenizer(bench.request.bundle / settings.file, settings), bench.texts)


def _difference(bench: Bench, reference: Any, shape: Shape) -> float | None:
    """How far the logits of a full batch of this shape are from the reference's at most, None without one."""
    import numpy as np

    subwords = np.concatenate([found.input_ids for found in bench.classifier.logits(bench.texts)])
    feeds = {
        "input_ids": np.resize(subwords, shape),
        "attention_mask": np.ones(shape, dtype=np.int64),
        "token_type_ids": np.zeros(shape, dtype=np.int64),
    }
    inputs = {name: feeds[name] for name in bench.manifest.tokenizer.inputs}
    found = bench.classifier.run(inputs)
    return None if reference is None else float(np.abs(found - reference.run(inputs)).max())


def _sizes(engines: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in engines.glob("*.cache")}


def _linked(bundle: Path, folder: Path) -> Path:
    """The bundle's graphs in a folder of their own, linked where the disk can, else copied."""

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)

    shutil.copytree(bundle / "variants", folder / "bundle" / "variants", copy_function=link)
    return folder / "bundle"
