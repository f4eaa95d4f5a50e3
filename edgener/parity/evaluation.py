"""Variants in the runtime on this machine: compared with PyTorch, and timed in turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from edgener.progress import Track
from edgener_exporters.graph.graph import save_graph
from edgener_exporters.quantise.fp16_emulation import round_to_fp16
from edgener_exporters.variants import SESSION_OPTIONS, Variant
from edgener_runtime.backends.base import Tuning
from edgener_runtime.bundle.manifest import Manifest, Speed, VariantEntry, read_manifest
from edgener_runtime.bundle.verify import file_entry
from edgener_runtime.machine.devices import DEVICES
from edgener_runtime.pipeline import TokenClassifier

from .budgets import Budget
from .compare import ParityReport, Reference, compare_answers, judged_report, run_variant
from .gate import judge
from .golden import golden_set
from .speed import ROUNDS, measure_speed

DEVICE = "cpu"  # of the export's machine, for judging and timing
EMULATED_ALONE = 256  # sentences that a slow emulation runs one by one


def judge_variant(
    folder: Path, manifest: Manifest, variant: Variant, reference: Reference, budgets: Sequence[Budget], track: Track,
    threads: int | None = None,
) -> ParityReport:  # fmt: skip
    """Compare a variant of an unfinished bundle with PyTorch, judge its figures by the budgets, and choose its golden
    vectors."""
    tuning = Tuning.of(threads) if threads else Tuning()
    step, entry = track(variant.name, 2 * len(reference.dataset.sentences)), manifest.variant(variant.name)
    with (
        _runnable(folder, entry) as runnable,
        TokenClassifier(folder, manifest, runnable, DEVICE, tuning) as classifier,
    ):
        most_alone = None if _runs_here(entry) else EMULATED_ALONE
        answers = run_variant(reference, variant.name, classifier, step)
        report = compare_answers(reference, variant.name, classifier, answers, step, most_alone)
        report = replace(report, golden=golden_set(reference, answers, classifier))
    return judged_report(report, judge(variant, report.estimates, budgets))


@contextmanager
def _runnable(folder: Path, entry: VariantEntry) -> Iterator[VariantEntry]:
    """The variant itself where it runs here, else an emulation that rounds to FP16 as a GPU does."""
    import onnx

    if _runs_here(entry):
        yield entry
        return
    model = onnx.load(folder / entry.file.path)
    round_to_fp16(model)
    with TemporaryDirectory(dir=folder) as scratch:
        emulation = Path(scratch).resolve() / "rounded.onnx"
        save_graph(model, emulation)
        here = replace(entry.requirements, providers=(DEVICES[DEVICE].provider,))
        yield replace(entry, file=file_entry(folder.resolve(), emulation), requirements=here)


def _runs_here(entry: VariantEntry) -> bool:
    return DEVICES[DEVICE].provider in entry.requirements.providers


def time_variants(folder: Path, manifest: Manifest, texts: Sequence[str], track: Track) -> Manifest:
    """The manifest with the speed and the fastest session options of each variant that runs here, fastest first.

    Options other than those of the table are used where they are faster for a text alone in every round.
    """
    with ExitStack() as stack:
        classifiers = {
            (entry.name, options): stack.enter_context(_classifier(folder, manifest, entry, options))
            for entry in manifest.variants
            if _runs_here(entry)
            for options in SESSION_OPTIONS
        }
        speeds = measure_speed(classifiers, texts, track("speed", ROUNDS))
    entries = [
        _with_fastest_options(entry, {options: speeds[entry.name, options] for options in SESSION_OPTIONS})
        if _runs_here(entry)
        else entry
        for entry in manifest.variants
    ]
    return _fastest_first(manifest, entries)


def _classifier(folder: Path, manifest: Manifest, entry: VariantEntry, options: tuple[str, ...]) -> TokenClassifier:
    return TokenClassifier(folder, manifest, replace(entry, disabled_optimizers=options), DEVICE, Tuning())


def _with_fastest_options(entry: VariantEntry, speeds: dict[tuple[str, ...], Speed]) -> VariantEntry:
    chosen = entry.disabled_optimizers
    for options, speed in speeds.items():
        if speed.latency_ms.high < speeds[chosen].latency_ms.low:
            chosen = options
    return replace(entry, disabled_optimizers=chosen, speed=speeds[chosen])


def _fastest_first(manifest: Manifest, entries: Sequence[VariantEntry]) -> Manifest:
    """Order variants by the time of a text alone; those that do not run here come last, in their order."""
    ordered = sorted(entries, key=lambda entry: entry.speed.latency_ms.median if entry.speed else float("inf"))
    return replace(manifest, variants=tuple(ordered))


def timed_as(bundle: Path, manifest: Manifest) -> Manifest:
    """The manifest with the order, options and speeds of another bundle, since timings never repeat exactly.

    Raises UserInputError where the other bundle has no such variant, BundleError where it is damaged.
    """
    timed = read_manifest(bundle)
    entries = {
        entry.name: replace(entry, disabled_optimizers=other.disabled_optimizers, speed=other.speed)
        for entry, other in ((entry, timed.variant(entry.name)) for entry in manifest.variants)
    }
    return replace(manifest, variants=tuple(entries[other.name] for other in timed.variants if other.name in entries))
