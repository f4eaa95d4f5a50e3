"""The whole flow from checkpoint to bundle, top to bottom."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgener.bundle.build import (
    REPRODUCE,
    SEARCH,
    TOKENIZER,
    draft_manifest,
    model_file,
    prove,
    reproduce_script,
    tokenizer_settings,
    write_manifest,
    write_tokenizer,
)
from edgener.bundle.provenance import library_versions, provenance
from edgener.data.read import check_labels
from edgener.data.types import Dataset
from edgener.parity.budgets import DEFAULT_BUDGET, Budget, check_budgets
from edgener.parity.compare import ParityReport, Reference, run_reference
from edgener.parity.evaluation import DEVICE, judge_variant, time_variants, timed_as
from edgener.parity.gate import EXIT_CODES, Verdict, explain, overall
from edgener.parity.reference import PyTorchModel
from edgener.parity.report import write_reports
from edgener.report.export_page import write_html
from edgener_exporters.calibrate.calibration import Calibration
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.graph.optimise import optimise_for_cpu
from edgener_exporters.search.mixed import build_mixed
from edgener_exporters.variants import VARIANTS, Variant
from edgener_runtime.base.files import staged_folder
from edgener_runtime.base.serde import to_json
from edgener_runtime.bundle.manifest import MANIFEST, Manifest
from edgener_runtime.errors import ParityError, UserInputError
from edgener_runtime.machine.devices import CPU, DEVICES
from edgener_runtime.text.tokenize import TextTokenizer

from .checkpoint import Checkpoint, data_record, open_checkpoint
from .progress import Track, untracked
from .search import SearchResult


@dataclass(frozen=True)
class ExportSpec:
    """What to export, the text to judge it on, its budgets, and the options that would ask for the same again.

    `calibration` is the text for variants that measure ranges, `calibration_method` one of calibration.METHODS, `cache`
    the folder that keeps what was measured, `search` what a planned variant is built by. Where `keep_passing`, variants
    that do not pass are left out of the bundle; else one of them refuses it. `timed` variants are timed here, or have
    the speeds and options of the bundle `timings`. Where `drawn`, the bundle gets report.html with its pictures.
    Variants are judged with so many `threads`, None for the runtime's default.
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
    timings: Path | None = None
    threads: int | None = None


@dataclass(frozen=True)
class ExportResult:
    """The bundle's manifest and what each variant's parity came to, those left out too."""

    bundle: str
    manifest: Manifest
    reports: tuple[ParityReport, ...]


class RefusedVariantsError(ParityError):
    """Variants that fail or cannot be told: no bundle was written; `result` has the figures of all."""

    def __init__(self, result: ExportResult) -> None:
        verdict = overall([judgement for report in result.reports for judgement in report.judgements])
        reasons = [
            explain(report.variant, judgement)
            for report in result.reports
            for judgement in report.judgements
            if judgement.verdict is verdict
        ]
        super().__init__("\n".join(reasons), _WAYS_OUT[verdict])
        self.result = result
        self.exit_code = EXIT_CODES[verdict]


_WAYS_OUT = {
    Verdict.FAIL: "Nothing was written. Leave the variant out, or allow it more.",
    Verdict.INCONCLUSIVE: "Nothing was written. Judge on more text, leave the variant out, or allow it more.",
}


def export_bundle(path: Path, out: Path, spec: ExportSpec, track: Track = untracked) -> ExportResult:
    """Turn a checkpoint into a bundle at `out` whose every variant was held against PyTorch through the runtime.

    Raises RefusedVariantsError where a variant fails or the text is too little to tell; what stood at `out` is then
    untouched.
    Raises UserInputError (checkpoint, data), ExportError, StorageError.
    """
    checkpoint = open_checkpoint(path)
    _check(spec, checkpoint)
    with staged_folder(out, marker=MANIFEST) as staging:
        write_tokenizer(checkpoint, staging)
        _build_variants(checkpoint, spec, staging, track)
        origin = provenance(checkpoint, spec.dataset, spec.exporter)
        origin["calibration"] = dataclasses.asdict(data_record(spec.calibration)) if spec.calibration else None
        manifest = _timed(spec, staging, draft_manifest(checkpoint, spec.variants, staging, origin), track)

        reference = _run_pytorch(checkpoint, spec.dataset, track)
        by_name = {variant.name: variant for variant in spec.variants}
        reports = tuple(
            judge_variant(staging, manifest, by_name[entry.name], reference, spec.budgets, track, spec.threads)
            for entry in manifest.variants
        )
        built, manifest = manifest, _passing(spec, staging, ExportResult(str(out), manifest, reports))

        write_reports(reports, staging)
        _write_search(spec, staging)
        if spec.drawn:
            _draw(spec, built, reports, origin, staging)
        script = reproduce_script(spec.arguments, origin["evaluation"]["source"], library_versions(), _aside(spec))
        (staging / REPRODUCE).write_text(script, encoding="utf-8")
        manifest = write_manifest(prove(manifest, reports, DEVICES[DEVICE].provider, origin["versions"]), staging)
    return ExportResult(str(out), manifest, reports)


def _timed(spec: ExportSpec, folder: Path, manifest: Manifest, track: Track) -> Manifest:
    """The manifest with speeds, measured or as another bundle has them."""
    if spec.timings:
        return timed_as(spec.timings, manifest)
    if not spec.timed:
        return manifest
    texts = [sentence.text for sentence in spec.dataset.sentences if sentence.text.strip()]
    return time_variants(folder, manifest, texts, track)


def _passing(spec: ExportSpec, folder: Path, result: ExportResult) -> Manifest:
    """The manifest of the variants that pass; the files of others go. Raises RefusedVariantsError."""
    refused = {report.variant for report in result.reports if report.verdict is not Verdict.PASS}
    broken = {variant.name for variant in spec.variants if variant.exact} & refused
    kept = [entry for entry in result.manifest.variants if entry.name not in refused]
    if refused and (broken or not kept or not spec.keep_passing):
        raise RefusedVariantsError(result)
    for name in refused:
        (folder / result.manifest.variant(name).file.path).unlink()
    return replace(result.manifest, variants=tuple(kept))


def _draw(
    spec: ExportSpec, built: Manifest, reports: Sequence[ParityReport], origin: dict[str, Any], folder: Path
) -> None:
    """The page for people, which shows variants that were left out as well."""
    speeds = {entry.name: entry.speed for entry in built.variants if entry.speed}
    sizes = {entry.name: entry.file.size for entry in built.variants}
    search = spec.search
    found: dict[str, Any] = (
        {"sensitivities": search.noise, "trials": search.trials, "tried_on": search.data} if search else {}
    )
    write_html(reports, speeds, origin, folder, sizes=sizes, **found)


def _write_search(spec: ExportSpec, folder: Path) -> None:
    if spec.search:
        (folder / SEARCH).write_text(to_json(spec.search), encoding="utf-8")


def _aside(spec: ExportSpec) -> dict[str, str]:
    """Options whose files the bundle brings along."""
    timed = {"--timings": "."} if spec.timed or spec.timings else {}
    return timed | ({"--plan": SEARCH} if spec.search else {})


def _check(spec: ExportSpec, checkpoint: Checkpoint) -> None:
    """Refuse what could not be judged in the end."""
    check_labels(checkpoint.entity_labels, spec.dataset)
    text = f"{spec.dataset.source} ({spec.dataset.split})"
    exact = all(variant.exact for variant in spec.variants)  # not judged by budgets, but a slip is a slip
    if spec.budgets or not exact:
        check_budgets(spec.budgets, checkpoint.entity_labels, exact or bool(spec.dataset.labels), text)
    if any(variant.planned for variant in spec.variants) and spec.search is None:
        raise UserInputError("the variant mixed needs a plan and none was given", "Make one: edgener search")
    if any(variant.calibrated for variant in spec.variants) and spec.calibration is None:
        raise UserInputError("a variant needs calibration text and none was given", "Name some: --calibration SOURCE")


def _build_variants(checkpoint: Checkpoint, spec: ExportSpec, folder: Path, track: Track) -> None:
    """Every variant is derived from the FP32 graph, which goes again where it was not asked for."""
    step = track("export", 1 + len(spec.variants))
    fp32 = model_file(folder, VARIANTS["fp32"])
    fp32.parent.mkdir()
    export_onnx(checkpoint.path, fp32, spec.exporter)
    step()
    texts = [sentence.text for sentence in spec.calibration.sentences] if spec.calibration else []
    tokenizer = TextTokenizer(folder / TOKENIZER, tokenizer_settings(checkpoint, fp32))
    calibration = Calibration(texts, tokenizer, spec.calibration_method, spec.cache, track)
    for variant in spec.variants:
        if variant.planned and spec.search:
            build_mixed(fp32, model_file(folder, variant), calibration, spec.search.plan)
        elif variant.build:
            variant.build(fp32, model_file(folder, variant), calibration)
        if variant.requirements.providers == (CPU,):
            optimise_for_cpu(model_file(folder, variant), variant.disabled_optimizers)
        step()
    if VARIANTS["fp32"] not in spec.variants:
        fp32.unlink()


def _run_pytorch(checkpoint: Checkpoint, dataset: Dataset, track: Track) -> Reference:
    with PyTorchModel.open(checkpoint) as model:
        return run_reference(model, dataset, track("PyTorch", len(dataset.sentences)))
