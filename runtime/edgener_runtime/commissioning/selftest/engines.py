"""Checks of a TensorRT engine: build a missing one, run every corner of its shapes, load and build it again.

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
from .context import Outcome, SelftestContext, skip

if TYPE_CHECKING:
    from edgener_runtime.backends.tensorrt.profiles import Shape
    from edgener_runtime.backends.tensorrt.sidecar import Sidecar
    from edgener_runtime.bundle.manifest import VariantEntry

_NO_ENGINE = "no TensorRT engine runs here"
_SOME = 4  # texts for an engine that was loaded again
_MEGA = 1e6


def prepare(context: SelftestContext) -> Outcome:
    """Build the engine if it is needed, missing, and can be built. Raises what a build raises."""
    from edgener_runtime.backends.choose import choose_variant
    from edgener_runtime.backends.tensorrt.profiles import profiles_for
    from edgener_runtime.commissioning.engines.build import BuildRequest, build_engine
    from edgener_runtime.machine.devices import engine_devices

    request, manifest = context.request, context.manifest
    if request.device not in engine_devices():
        return skip(f"for {' and '.join(engine_devices())} only")
    entry, _ = choose_variant(manifest, request.variant, "tensorrt")
    missing = _missing(request.bundle, entry)
    if not missing:
        return Outcome("it exists; loading checks it")
    if missing != ["engine"]:
        return skip(f"none can be built here: {', '.join(missing)} missing")
    profiles = profiles_for(_lengths(context), manifest.tokenizer.max_length)
    built = build_engine(request.bundle, entry, profiles, BuildRequest())
    return Outcome(
        f"{entry.name} was built in {built.seconds:.1f} s for {built.gpu}",
        {"build_seconds": built.seconds, "engine_mb": built.engine_size / _MEGA},
    )


def corners(context: SelftestContext) -> Outcome:
    """Run the smallest, most likely and largest shape of every profile, and compare their logits with the CPU's."""
    sidecar = sidecar_of(context)
    if sidecar is None:
        return skip(_NO_ENGINE)
    shapes = sorted({shape for one in sidecar.profiles for shape in (one.minimum, one.optimum, one.maximum)})
    with context.open_reference() as reference:
        differences = [_difference(context, reference, shape) for shape in shapes]
    summary = f"{len(shapes)} shapes of {len(sidecar.profiles)} profiles run"
    known = [difference for difference in differences if difference is not None]
    if not known:
        return Outcome(f"{summary}, every number finite")
    band, worst = band_of(context.variant), max(known)
    if worst > band:
        rows, subwords = shapes[differences.index(worst)]
        raise ParityError(
            f"logits of shape {rows}x{subwords} are {worst:.2g} from the CPU's, {band:.2g} allowed",
            "Build the engine again on this device: edgener-runtime prepare",
        )
    return Outcome(f"{summary}, logits within {worst:.2g} of the CPU's", {"corners_largest_logit_difference": worst})


def reload(context: SelftestContext) -> Outcome:
    """Load the engine again, without a build, and repeat texts. Raises ParityError if the answers differ."""
    from edgener_runtime.pipeline import TokenClassifier

    if sidecar_of(context) is None:
        return skip(_NO_ENGINE)
    request = context.request
    start = time.perf_counter()
    with TokenClassifier.load(request.bundle, request.device, context.variant.name, request.threads) as again:
        seconds = time.perf_counter() - start
        answers = answer_all(again, context.texts[:_SOME])
    found = compare(answers, context.answers, SAME)
    if found.differing > found.undecided or found.largest > SAME:
        raise ParityError(
            "the engine gives other answers after loading it again", "Build it again: edgener-runtime prepare"
        )
    return Outcome(f"loaded again in {seconds:.2f} s, the same answers", {"reload_seconds": seconds})


def timing_cache(context: SelftestContext) -> Outcome:
    """Build again in another folder, with the timing cache of the first build.

    Raises DeviceError if the cache did not help: it grew, and the build took no less time.
    """
    from edgener_runtime.backends.tensorrt.paths import engines_folder
    from edgener_runtime.commissioning.engines.build import BuildRequest, build_engine

    first = sidecar_of(context)
    if first is None:
        return skip(_NO_ENGINE)
    engines = engines_folder(context.request.bundle)
    before = _sizes(engines)
    if not before:
        return skip(f"{first.backend} has no timing cache")
    with tempfile.TemporaryDirectory(dir=engines.parent, prefix=".selftest.") as folder:
        bundle = _linked(context.request.bundle, Path(folder))
        request = BuildRequest(first.backend, first.options, timing_cache=engines)
        second = build_engine(bundle, context.variant, first.profiles, request)
    summary = f"{first.seconds:.1f} s, and {second.seconds:.1f} s with its timing cache"
    if _sizes(engines) != before and second.seconds >= first.seconds:
        raise DeviceError(f"the timing cache was not used: {summary}", "Remove the *.cache files beside the engine.")
    return Outcome(summary, {"second_build_seconds": second.seconds})


def sidecar_of(context: SelftestContext) -> Sidecar | None:
    """The sidecar of the loaded engine, or None if none is loaded."""
    from edgener_runtime.backends.tensorrt.paths import engine_file
    from edgener_runtime.backends.tensorrt.session import PROVIDER
    from edgener_runtime.backends.tensorrt.sidecar import read_sidecar, rebuild_command

    bundle, name = context.request.bundle, context.variant.name
    if context.classifier.provider != PROVIDER:
        return None
    return read_sidecar(engine_file(bundle, name), rebuild_command(bundle, name))


def _missing(bundle: Path, entry: VariantEntry) -> list[str]:
    """The requirements of TensorRT that this machine does not meet, by their names in the table."""
    from edgener_runtime.backends.requirements import RunRequest, missing_here
    from edgener_runtime.machine.devices import DEVICES

    return [missing.requirement for missing in missing_here(DEVICES["tensorrt"], RunRequest(bundle, (entry,)))]


def _lengths(context: SelftestContext) -> list[int]:
    """The lengths of the given texts; synthetic ones are not typical."""
    from edgener_runtime.backends.tensorrt.profiles import window_lengths
    from edgener_runtime.text.tokenize import TextTokenizer

    if context.request.texts is None:
        return []
    settings = context.manifest.tokenizer
    return window_lengths(TextTokenizer(context.request.bundle / settings.file, settings), context.texts)


def _difference(context: SelftestContext, reference: Any, shape: Shape) -> float | None:
    """The largest difference of a full batch's logits from the reference's; None without a reference."""
    import numpy as np

    subwords = np.concatenate([found.input_ids for found in context.classifier.logits(context.texts)])
    feeds = {
        "input_ids": np.resize(subwords, shape),
        "attention_mask": np.ones(shape, dtype=np.int64),
        "token_type_ids": np.zeros(shape, dtype=np.int64),
    }
    inputs = {name: feeds[name] for name in context.manifest.tokenizer.inputs}
    found = context.classifier.run(inputs)
    return None if reference is None else float(np.abs(found - reference.run(inputs)).max())


def _sizes(engines: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in engines.glob("*.cache")}


def _linked(bundle: Path, folder: Path) -> Path:
    """The bundle's graphs in a separate folder, linked if the disk supports it, else copied."""

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)

    shutil.copytree(bundle / "variants", folder / "bundle" / "variants", copy_function=link)
    return folder / "bundle"
