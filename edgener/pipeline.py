"""The whole flow from checkpoint to bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgener.bundle.build import (
    REPRODUCE,
    SEARCH,
    bundled_options,
    draft_manifest,
    model_file,
    prove,
    reproduce_script,
    write_evidence,
    write_manifest,
)
from edgener.bundle.provenance import library_versions, provenance
from edgener.bundle.tokenizer import TOKENIZER, tokenizer_settings, write_tokenizer
from edgener.bundle.unicode_samples import SAMPLES, unicode_samples
from edgener.data.read import check_labels
from edgener.data.types import Dataset
from edgener.parity.budgets import DEFAULT_BUDGET, Budget, check_budgets
from edgener.parity.compare import ParityReport, Reference, run_reference
from edgener.parity.evaluation import DEVICE, judge_variant, time_variants, timed_as
from edgener.parity.gate import EXIT_CODES, Verdict, explain, overall
from edgener.parity.reference import PyTorchModel
from edgener.parity.report import write_reports
from edgener.report.export_page import write_html
from edgener_exporters.architectures import Architecture, find_architecture
from edgener_exporters.calibrate.calibration import Calibration
from edgener_exporters.graph.lengths import check_lengths
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.graph.optimise import optimise_for_cpu
from edgener_exporters.libraries import export_errors
from edgener_exporters.search.mixed import build_mixed
from edgener_exporters.variants import VARIANTS, Variant
from edgener_runtime.base.files import check_replaceable, staged_folder, storage_errors
from edgener_runtime.base.partial import partial as unfinished
from edgener_runtime.base.serde import to_json
from edgener_runtime.bundle.manifest import MANIFEST, Manifest
from edgener_runtime.bundle.slim import slim
from edgener_runtime.errors import ExportError, ParityError, ProviderError, UserInputError
from edgener_runtime.machine.devices import CPU, DEVICES
from edgener_runtime.machine.operators import missing_operators
from edgener_runtime.text.tokenize import TextTokenizer

from .checkpoint import Checkpoint, data_record, open_checkpoint, read_config
from .labels import LabelChoice
from .progress import Track, untracked
from .search import SearchResult


@dataclass(frozen=True)
class ExportSpec:
    """The variants to export, the text to judge them on, the budgets, and the options that reproduce the export.

    `calibration` is the text for activation ranges, `calibration_method` one of calibration.METHODS, `cache` the folder
    of cached measurements, `search` the plan of the variant mixed. With `keep_passing`, variants that do not pass are
    left out of the bundle; otherwise one of them refuses it. With `timed`, variants are timed here, or get the speeds
    and options of the bundle `timings`. With `drawn`, the bundle gets report.html with its pictures. Without `texts`,
    none of its files quotes the evaluation text; its golden vectors are samples of ours. Variants are judged with this
    number of `threads`; None is the runtime's default. `labels` is what the user says of the model's labels. `untested`
    also exports an architecture without a row in architectures.ARCHITECTURES. `not_built` has the reason for every
    variant that was requested and cannot be built.
    """

    variants: tuple[Variant, ...]
    dataset: Dataset
    budgets: tuple[Budget, ...] = (DEFAULT_BUDGET,)
    exporter: str = "torch"
    arguments: tuple[str, ...] = ()
    calibration: Dataset | None = None
    calibration_method: str = "minmax"
    cache: Path | None = None
    search: SearchResult | None = None
    keep_passing: bool = False
    timed: bool = False
    drawn: bool = False
    texts: bool = True
    timings: Path | None = None
    threads: int | None = None
    labels: LabelChoice | None = None
    untested: bool = False
    not_built: Mapping[str, str] = field(default_factory=dict)

    def without(self, reasons: Mapping[str, str]) -> ExportSpec:
        """The spec without the variants that cannot be built, by name, with the reasons."""
        variants = tuple(variant for variant in self.variants if variant.name not in reasons)
        return replace(self, variants=variants, not_built={**self.not_built, **reasons})


@dataclass(frozen=True)
class ExportResult:
    """The bundle's manifest, the parity report of every variant that was built, including those left out, the reason
    for every variant that could not be built, and what a user should know of the graph.
    """

    bundle: str
    manifest: Manifest
    reports: tuple[ParityReport, ...]
    not_built: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class RefusedVariantsError(ParityError):
    """Variants that fail or are inconclusive: no bundle was written; `result` has the figures of all."""

    def __init__(self, result: ExportResult) -> None:
        verdict = overall([judgement for report in result.reports for judgement in report.judgements])
        reasons = [
            explain(report.variant, judgement)
            for report in result.reports
            for judgement in report.judgements
            if judgement.verdict is verdict
        ]
        super().__init__("\n".join(reasons), _FIXES[verdict])
        self.result = result
        self.exit_code = EXIT_CODES[verdict]


_NOT_BUILT = "{} cannot be built"
_FIXES = {
    Verdict.FAIL: "Nothing was written. Leave the variant out, or raise its budget.",
    Verdict.INCONCLUSIVE: "Nothing was written. Judge on more text, leave the variant out, or raise its budget.",
}


def export_bundle(path: Path, out: Path, spec: ExportSpec, track: Track = untracked) -> ExportResult:
    """Export a checkpoint as a bundle at `out`; every variant is compared with PyTorch through the runtime.

    Raises RefusedVariantsError where a variant fails or the text is too short for a verdict; an earlier bundle at `out`
    then stays unchanged. Raises UserInputError (architecture, checkpoint, data), ExportError, StorageError.
    """
    architecture = find_architecture(read_config(path), spec.untested)
    spec = buildable(spec, architecture)
    checkpoint = open_checkpoint(path, spec.labels)
    _check(spec, checkpoint)
    with staged_folder(out, marker=MANIFEST) as staging:
        write_tokenizer(checkpoint, staging)
        spec, notes = _build_variants(checkpoint, spec, staging, track)
        origin = provenance(checkpoint, spec.dataset, spec.exporter)
        origin["calibration"] = dataclasses.asdict(data_record(spec.calibration)) if spec.calibration else None
        if spec.not_built:
            origin["not_built"] = dict(spec.not_built)
        if notes:
            origin["notes"] = list(notes)
        manifest = draft_manifest(checkpoint, spec.variants, staging, origin)
        manifest = replace(manifest, architecture=architecture.name, untested=not architecture.tested)
        manifest = _timed(spec, staging, manifest, track)

        reference = _run_pytorch(checkpoint, spec, track)
        manifest = replace(manifest, scheme=reference.answers.label_set.scheme)
        by_name = {variant.name: variant for variant in spec.variants}
        reports = tuple(
            judge_variant(staging, manifest, by_name[entry.name], reference, spec.budgets, track, spec.threads)
            for entry in manifest.variants
        )
        result = ExportResult(str(out), manifest, reports, spec.not_built, notes)
        built, manifest = manifest, _passing(spec, staging, result)

        write_reports(reports, staging, spec.texts)
        _write_search(spec, staging)
        timed = _draw(spec, built, reports, origin, staging) if spec.drawn else ()
        bundled = bundled_options(spec.timed or spec.timings is not None, spec.search is not None)
        script = reproduce_script(spec.arguments, origin["evaluation"]["source"], library_versions(), bundled)
        (staging / REPRODUCE).write_text(script, encoding="utf-8")
        manifest = prove(manifest, reports, DEVICES[DEVICE].provider, origin["versions"])
        write_evidence(manifest, reports, spec.arguments, staging)
        manifest = write_manifest(manifest, staging, timed)
    return replace(result, manifest=manifest)


def export_slim(path: Path, out: Path, spec: ExportSpec, track: Track = untracked) -> ExportResult:
    """Export a checkpoint, and write at `out` only the smallest bundle that runs the first of its variants, see `slim`.

    The manifest of the result is that of the slim bundle. Raises what `export_bundle` raises.
    """
    final = out.resolve()
    with storage_errors(final):
        check_replaceable(final, MANIFEST)
        final.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(final, Path.mkdir) as folder:
            result = export_bundle(path, folder / final.name, spec, track)
            manifest = slim(folder / final.name, result.manifest.variants[0].name, out)
    return replace(result, bundle=str(out), manifest=manifest)


def buildable(spec: ExportSpec, architecture: Architecture) -> ExportSpec:
    """The spec without the variants of a set that the architecture refuses.

    Raises UserInputError where one was named that it refuses.
    """
    refused = {name: reason for name, reason in architecture.refused.items() if VARIANTS[name] in spec.variants}
    if refused and not spec.keep_passing:
        name, reason = next(iter(refused.items()))
        possible = ", ".join(name for name in VARIANTS if name not in architecture.refused)
        raise UserInputError(f"{name} cannot be built from {architecture.title}: {reason}", f"Possible are: {possible}")
    return _judgeable(spec.without(refused))


def _judgeable(spec: ExportSpec) -> ExportSpec:
    """The spec without the variants of a set whose operators are not installed here, where they are judged.

    Raises ProviderError where one was named.
    """
    faults = {variant.name: missing_operators(variant.requirements.operators) for variant in spec.variants}
    missing = {name: fault for name, fault in faults.items() if fault}
    if missing and not spec.keep_passing:
        name, fault = next(iter(missing.items()))
        raise ProviderError(f"{name} cannot be judged here: {fault.what}", fault.fix)
    return spec.without({name: fault.what for name, fault in missing.items()})


def _timed(spec: ExportSpec, folder: Path, manifest: Manifest, track: Track) -> Manifest:
    """The manifest with speeds, measured here or copied from another bundle."""
    if spec.timings:
        return timed_as(spec.timings, manifest)
    if not spec.timed:
        return manifest
    texts = [sentence.text for sentence in spec.dataset.sentences if sentence.text.strip()]
    return time_variants(folder, manifest, texts, track)


def _passing(spec: ExportSpec, folder: Path, result: ExportResult) -> Manifest:
    """The manifest of the passing variants; the files of others are removed. Raises RefusedVariantsError."""
    refused = {report.variant for report in result.reports if report.verdict is not Verdict.PASS}
    broken = {variant.name for variant in spec.variants if variant.exact} & refused
    passing = [entry for entry in result.manifest.variants if entry.name not in refused]
    if refused and (broken or not passing or not spec.keep_passing):
        raise RefusedVariantsError(result)
    for name in refused:
        (folder / result.manifest.variant(name).file.path).unlink()
    return replace(result.manifest, variants=tuple(passing))


def _draw(
    spec: ExportSpec, built: Manifest, reports: Sequence[ParityReport], origin: dict[str, Any], folder: Path
) -> tuple[str, ...]:
    """Write report.html, which also shows variants that were left out. The paths of its files if they show speeds."""
    speeds = {entry.name: entry.speed for entry in built.variants if entry.speed}
    sizes = {entry.name: entry.file.size for entry in built.variants}
    search = spec.search
    found: dict[str, Any] = (
        {"sensitivities": search.noise, "trials": search.trials, "tried_on": search.data} if search else {}
    )
    written = write_html(reports, speeds, origin, folder, sizes=sizes, texts=spec.texts, **found)
    return tuple(file.relative_to(folder).as_posix() for file in written) if speeds else ()


def _write_search(spec: ExportSpec, folder: Path) -> None:
    if spec.search:
        (folder / SEARCH).write_text(to_json(spec.search), encoding="utf-8")


def _check(spec: ExportSpec, checkpoint: Checkpoint) -> None:
    """Refuse an export that could not be judged at its end."""
    check_labels(checkpoint.entity_labels, spec.dataset)
    text = f"{spec.dataset.source} ({spec.dataset.split})"
    exact = all(variant.exact for variant in spec.variants)  # budgets do not apply, but a wrong one is an error
    if spec.budgets or not exact:
        check_budgets(spec.budgets, checkpoint.entity_labels, exact or bool(spec.dataset.labels), text)
    if any(variant.planned for variant in spec.variants) and spec.search is None:
        raise UserInputError("the variant mixed requires a plan, and none was given", "Make one: edgener search")
    if any(variant.calibrated for variant in spec.variants) and spec.calibration is None:
        raise UserInputError("a variant requires calibration text, and none was given", "Give --calibration SOURCE.")


def _build_variants(
    checkpoint: Checkpoint, spec: ExportSpec, folder: Path, track: Track
) -> tuple[ExportSpec, tuple[str, ...]]:
    """Build every variant from the FP32 graph, which is removed where it was not requested.

    Where variants that do not pass are left out, those that cannot be built are as well: the spec that is returned has
    the others. Beside it are the notes of the export.
    """
    step = track("export", 1 + len(spec.variants))
    fp32 = model_file(folder, VARIANTS["fp32"])
    fp32.parent.mkdir()
    notes = export_onnx(checkpoint.path, fp32, spec.exporter)
    step()
    tokenizer = TextTokenizer(folder / TOKENIZER, tokenizer_settings(checkpoint, fp32))
    check_lengths(fp32, tokenizer, " ".join(unicode_samples()), partial(track, "window lengths"))
    texts = [sentence.text for sentence in spec.calibration.sentences] if spec.calibration else []
    calibration = Calibration(texts, tokenizer, spec.calibration_method, spec.cache, track)
    for variant in spec.variants:
        try:
            build_variant(variant, fp32, model_file(folder, variant), calibration, spec.search)
        except (ExportError, UserInputError) as error:
            if variant.exact or not spec.keep_passing:
                raise
            model_file(folder, variant).unlink(missing_ok=True)
            spec = spec.without({variant.name: error.message.removeprefix(_NOT_BUILT.format(variant.name) + ": ")})
        step()
    if VARIANTS["fp32"] not in spec.variants:
        fp32.unlink()
    return spec, notes


def build_variant(
    variant: Variant, fp32: Path, out: Path, calibration: Calibration, search: SearchResult | None
) -> None:
    """Build one variant from the FP32 graph. Raises ExportError or UserInputError with the reason where it cannot."""
    with export_errors(_NOT_BUILT.format(variant.name)):
        if variant.planned and search:
            build_mixed(fp32, out, calibration, search.plan)
        elif variant.build:
            variant.build(fp32, out, calibration)
        if variant.requirements.providers == (CPU,) and not variant.requirements.operators:
            optimise_for_cpu(out, variant.disabled_optimizers)


def _run_pytorch(checkpoint: Checkpoint, spec: ExportSpec, track: Track) -> Reference:
    with PyTorchModel.open(checkpoint) as model:
        step = track("PyTorch", len(spec.dataset.sentences))
        return run_reference(model, spec.dataset, step, SAMPLES, quotable=spec.texts)
