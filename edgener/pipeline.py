"""The whole flow from checkpoint to bundle, top to bottom."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from edgener.bundle.build import (
    REPRODUCE,
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
from edgener.checkpoint import Checkpoint, data_record, open_checkpoint
from edgener.data.read import check_labels
from edgener.data.types import Dataset
from edgener.parity.budgets import DEFAULT_BUDGET, Budget, check_budgets
from edgener.parity.compare import ParityReport, Reference, compare, decided, run_reference
from edgener.parity.gate import EXIT_CODES, Verdict, explain, judge, overall
from edgener.parity.reference import PyTorchModel
from edgener.parity.report import write_reports
from edgener.progress import Track, untracked
from edgener_exporters.calibration import Calibration
from edgener_exporters.graph import save_graph
from edgener_exporters.halves import round_halves
from edgener_exporters.onnx import export_onnx
from edgener_exporters.variants import VARIANTS, Variant
from edgener_runtime.errors import ParityError, UserInputError
from edgener_runtime.files import staged_folder
from edgener_runtime.manifest import MANIFEST, Manifest, VariantEntry
from edgener_runtime.pipeline import TokenClassifier
from edgener_runtime.session import PROVIDERS
from edgener_runtime.tokenize import TextTokenizer
from edgener_runtime.verify import verify_bundle

DEVICE = "cpu"  # parity is measured where the export runs


@dataclass(frozen=True)
class ExportSpec:
    """What to export, the text to judge it on, its budgets, and the options that would ask for the same again.

    `calibration` is the text for variants that measure ranges, `calibration_method` one of calibration.METHODS, `cache`
    the folder that keeps what was measured.
    """

    variants: tuple[Variant, ...]
    dataset: Dataset
    budgets: tuple[Budget, ...] = (DEFAULT_BUDGET,)
    exporter: str = "torch"
    arguments: tuple[str, ...] = ()
    calibration: Dataset | None = None
    calibration_method: str = "minmax"
    cache: Path | None = None


@dataclass(frozen=True)
class ExportResult:
    """The bundle's manifest and what each variant's parity came to."""

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
        manifest = write_manifest(draft_manifest(checkpoint, spec.variants, staging, origin), staging)

        reference = _run_pytorch(checkpoint, spec.dataset, track)
        reports = tuple(_measure(staging, variant, reference, spec.budgets, track) for variant in spec.variants)
        if any(report.verdict is not Verdict.PASS for report in reports):
            raise RefusedVariantsError(ExportResult(str(out), manifest, reports))

        write_reports(reports, staging)
        script = reproduce_script(spec.arguments, origin["evaluation"]["source"], library_versions())
        (staging / REPRODUCE).write_text(script, encoding="utf-8")
        by_name = {report.variant: report for report in reports}
        proven = prove(manifest, by_name, "CPUExecutionProvider", origin["versions"])
        manifest = write_manifest(proven, staging)
    return ExportResult(str(out), manifest, reports)


def _check(spec: ExportSpec, checkpoint: Checkpoint) -> None:
    """Refuse what could not be judged in the end."""
    check_labels(checkpoint.entity_labels, spec.dataset)
    text = f"{spec.dataset.source} ({spec.dataset.split})"
    exact = all(variant.exact for variant in spec.variants)  # not judged by budgets, but a slip is a slip
    if spec.budgets or not exact:
        check_budgets(spec.budgets, checkpoint.entity_labels, exact or bool(spec.dataset.labels), text)
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
        if variant.build:
            variant.build(fp32, model_file(folder, variant), calibration)
        step()
    if VARIANTS["fp32"] not in spec.variants:
        fp32.unlink()


def _run_pytorch(checkpoint: Checkpoint, dataset: Dataset, track: Track) -> Reference:
    with PyTorchModel.open(checkpoint) as model:
        return run_reference(model, dataset, track("PyTorch", len(dataset.sentences)))


def _measure(
    folder: Path, variant: Variant, reference: Reference, budgets: Sequence[Budget], track: Track
) -> ParityReport:
    manifest = verify_bundle(folder)
    step = track(variant.name, 2 * len(reference.dataset.sentences))
    with (
        _as_it_will_run(folder, manifest.variant(variant.name)) as here,
        TokenClassifier(folder, manifest, here, DEVICE, None) as classifier,
    ):
        report = compare(reference, variant.name, classifier, step)
    return decided(report, judge(variant, report.estimates, budgets))


@contextmanager
def _as_it_will_run(folder: Path, entry: VariantEntry) -> Iterator[VariantEntry]:
    """A variant to measure here: as it is where it may run, else a stand-in that rounds to FP16 as a GPU does."""
    import onnx

    if PROVIDERS[DEVICE] in entry.needs.providers:
        yield entry
        return
    model = onnx.load(folder / entry.file.path)
    round_halves(model)
    with TemporaryDirectory(dir=folder) as scratch:
        stand_in = Path(scratch).resolve() / "rounded.onnx"
        save_graph(model, stand_in)
        file, needs = replace(entry.file, path=str(stand_in)), replace(entry.needs, providers=(PROVIDERS[DEVICE],))
        yield replace(entry, file=file, needs=needs)
