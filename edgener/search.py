"""The search for the kernel of every matrix product: the fastest mix of kernels within the budgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from edgener.bundle.build import draft_manifest, model_file
from edgener.bundle.tokenizer import TOKENIZER, tokenizer_settings, write_tokenizer
from edgener.data.read import check_labels
from edgener.data.types import Dataset
from edgener.parity.bootstrap import Estimate
from edgener.parity.budgets import Budget, check_budgets
from edgener.parity.figures import measure
from edgener.parity.gate import Verdict, judge, overall
from edgener.parity.measures.counts import count_sentences
from edgener.parity.measures.tagging import Answers, answer
from edgener.parity.reference import PyTorchModel, reference_answers
from edgener.parity.speed import ROUNDS, measure_speed
from edgener_exporters.calibrate.calibration import Calibration
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.search.measurements import ProductMeasurements
from edgener_exporters.search.mixed import Plan
from edgener_exporters.search.precision_search import PathSearch, path_of_plans
from edgener_exporters.variants import FP32, VARIANTS
from edgener_runtime.backends.base import Tuning
from edgener_runtime.base.serde import SchemaError, load_json
from edgener_runtime.bundle.manifest import Manifest, Speed, VariantEntry
from edgener_runtime.bundle.verify import file_entry
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.cpu import isa
from edgener_runtime.pipeline import TokenClassifier
from edgener_runtime.text.tokenize import TextTokenizer

from .checkpoint import Checkpoint, data_record, open_checkpoint
from .labels import LabelChoice
from .progress import Track, untracked

DYNAMIC = "int8-dynamic"  # the one kernel with a batch effect
BASELINES = (FP32, DYNAMIC)  # tried and timed beside the mixes
DEFAULT_CHURN = Budget("churn", 0.01)
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class SearchSpec:
    """The text to try plans on, which the gate must not use later, the calibration text and the budgets.

    Without `cache`, an interrupted search starts again. `labels` is what the user says of the model's labels.
    """

    dataset: Dataset
    calibration: Dataset
    budgets: tuple[Budget, ...]
    method: str = "minmax"
    exporter: str = "torch"
    cache: Path | None = None
    labels: LabelChoice | None = None


@dataclass(frozen=True)
class SearchTrial:
    """One tried mix: the number of products per kernel, its loss against PyTorch, and its speed.

    `within` says whether its bare figures are within the budgets, `verdict` whether their intervals are.
    """

    name: str
    kernels: dict[str, int] = field(metadata={"key": "forms"})
    size: int
    verdict: str
    within: bool
    f1: float | None
    f1_difference: Estimate | None
    churn: Estimate | None
    speed: Speed | None = None


@dataclass(frozen=True)
class SearchResult:
    """The plan of the fastest trial within the budgets, all trials, and the measurements of each product.

    `noise` is the relative L2 of the logits and `seconds` the time of a bare product, by role and kernel; `reasons` say
    why products stayed in FP32.
    """

    graph: str
    data: str
    isa: str
    chosen: str
    plan: Plan
    reasons: dict[str, str]
    trials: tuple[SearchTrial, ...]
    noise: dict[str, dict[str, float]]
    seconds: dict[str, dict[str, float]]
    schema_version: int = SCHEMA_VERSION

    @property
    def best(self) -> SearchTrial:
        """The chosen trial."""
        return next(trial for trial in self.trials if trial.name == self.chosen)


def read_search(file: Path) -> SearchResult:
    """The result of a search from its file. Raises UserInputError where it cannot be read."""
    try:
        return load_json(SearchResult, file)
    except (OSError, SchemaError) as error:
        raise UserInputError(f"the plan {file} cannot be read: {error}", "Search again: edgener search") from error


def search_precision(path: Path, spec: SearchSpec, track: Track = untracked) -> SearchResult:
    """Find the fastest mix of kernels for a checkpoint on this machine's CPU that is within the budgets.

    Bare figures decide where the text is too short for a pass even of FP32; where no mix is within the budgets,
    everything except the embeddings stays in FP32. The verdict of the chosen trial says which case it is. The default
    budget of churn is 1 %. A budget for the batch effect excludes dynamic quantisation, the only kernel with one.
    Raises UserInputError (checkpoint, data).
    """
    checkpoint = open_checkpoint(path, spec.labels)
    check_labels(checkpoint.entity_labels, spec.dataset)
    name = f"{data_record(spec.dataset).source} ({spec.dataset.split})"
    check_budgets(spec.budgets, checkpoint.entity_labels, bool(spec.dataset.labels), name)
    churn = () if any(budget.figure == "churn" for budget in spec.budgets) else (DEFAULT_CHURN,)
    spec = replace(spec, budgets=(*spec.budgets, *churn))
    with TemporaryDirectory() as folder:
        return search_with(SearchRun(checkpoint, spec, Path(folder), track), name)


class SearchRunner(Protocol):
    """Measures products and tries plans for a search."""

    @property
    def graph(self) -> str:
        """The SHA-256 of the FP32 graph."""

    def smoothing(self) -> list[str]:
        """Smooth activations in the graph that all later answers are about, and return their names."""

    def noise(self) -> dict[str, dict[str, float]]:
        """The noise of each product with each kernel, by role and kernel."""

    def seconds(self) -> dict[str, dict[str, float]]:
        """The time of each bare product with each kernel, by role and kernel."""

    def baseline(self, name: str) -> SearchTrial:
        """A variant of the table, compared with PyTorch like the mixes."""

    def attempt(self, step: int, plans: Sequence[Mapping[str, str]]) -> SearchTrial:
        """The plan of a step of the path, compared with PyTorch."""

    def timed(self, trials: Sequence[SearchTrial]) -> tuple[SearchTrial, ...]:
        """The trials with their speed."""


def search_with(runner: SearchRunner, data: str) -> SearchResult:
    """Find the fastest mix from the measurements of a runner on `data`."""
    smoothed = runner.smoothing()
    noise, seconds = runner.noise(), runner.seconds()
    plans = path_of_plans(noise, seconds)
    search = PathSearch(len(plans), lambda step: runner.attempt(step, plans))
    baselines = [runner.baseline(name) for name in BASELINES]
    step = search.run(surely_passes)
    if step < 0:  # too little text for a pass
        step = max(0, search.run(is_within_budgets))
    trials = runner.timed([*baselines, *(search.trials[tried] for tried in sorted(search.trials))])
    chosen = next(trial for trial in trials if trial.name == search.trials[step].name)
    return SearchResult(
        runner.graph, data, isa(), chosen.name, Plan(plans[step], tuple(smoothed)),
        dict(_reasons(plans, step, noise)), trials, noise, seconds,
    )  # fmt: skip


def surely_passes(trial: SearchTrial) -> bool:
    """Whether every budget contains a trial's whole interval."""
    return trial.verdict == Verdict.PASS.value


def is_within_budgets(trial: SearchTrial) -> bool:
    """Whether a trial's bare figures are within every budget."""
    return trial.within


def _reasons(
    plans: Sequence[Mapping[str, str]], step: int, noise: Mapping[str, Mapping[str, float]]
) -> Iterator[tuple[str, str]]:
    """The reason why each remaining product is in FP32: the kernel that would come next."""
    for role, kernel in plans[step].items():
        if kernel != FP32:
            continue
        later = next((plan[role] for plan in plans[step:] if plan[role] != FP32), None)
        if later is None:
            yield role, "no kernel is faster here"
        else:
            yield role, f"{later} would add {noise[role][later]:.2%} of noise to the logits, too much for what it saves"


@dataclass
class SearchRun:
    """A search in progress: the FP32 graph in a scratch folder, its measurements, and PyTorch's answers."""

    checkpoint: Checkpoint
    spec: SearchSpec
    folder: Path
    track: Track

    def __post_init__(self) -> None:
        write_tokenizer(self.checkpoint, self.folder)
        fp32 = model_file(self.folder, VARIANTS[FP32])
        fp32.parent.mkdir()
        export_onnx(self.checkpoint.path, fp32, self.spec.exporter)
        texts = [sentence.text for sentence in self.spec.calibration.sentences]
        tokenizer = TextTokenizer(self.folder / TOKENIZER, tokenizer_settings(self.checkpoint, fp32))
        self.calibration = Calibration(texts, tokenizer, self.spec.method, self.spec.cache, self.track)
        has_batch_budget = any(budget.figure == "batch_effect" for budget in self.spec.budgets)
        self.products = ProductMeasurements(fp32, self.calibration, (DYNAMIC,) if has_batch_budget else ())
        self.smoothing, self.noise, self.seconds = self.products.smooth, self.products.noise, self.products.seconds

    @property
    def graph(self) -> str:
        """The SHA-256 of the FP32 graph."""
        return self.products.graph

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of FP32, the base of those of trials."""
        return draft_manifest(self.checkpoint, [VARIANTS[FP32]], self.folder, {})

    @cached_property
    def pytorch(self) -> Answers:
        """PyTorch's answers on the text of the trials."""
        sentences = self.spec.dataset.sentences
        with PyTorchModel.open(self.checkpoint) as model:
            return reference_answers(model, sentences, self.track("PyTorch", len(sentences)))

    def attempt(self, step: int, plans: Sequence[Mapping[str, str]]) -> SearchTrial:
        """Build the plan of a step of the path and compare it with PyTorch."""
        plan, name = plans[step], f"{step} of {len(plans) - 1}"
        self.products.write(self._file(name), plan)
        return self._tried(name, dict(sorted(Counter(plan.values()).items())))

    def baseline(self, name: str) -> SearchTrial:
        """A variant of the table, compared with PyTorch like the mixes."""
        if build := VARIANTS[name].build:
            build(self._file(FP32), self._file(name), self.calibration)
        return self._tried(name, {name: len(self.products.products)})

    def _tried(self, name: str, kernels: dict[str, int]) -> SearchTrial:
        step = self.track(f"trying {name}", len(self.spec.dataset.sentences))
        with self._open(name) as classifier:
            found = answer(classifier, self.spec.dataset.sentences, step)
        trial = self._judged(name, kernels, self._file(name).stat().st_size, found)
        churn = f", churn {trial.churn.value:.2%}" if trial.churn else ""
        self.track(f"{name}: {trial.verdict}{churn}", 1)()  # stays visible under the bars
        return trial

    def _judged(self, name: str, kernels: dict[str, int], size: int, found: Answers) -> SearchTrial:
        import numpy as np

        sentences = self.spec.dataset.sentences
        figures = measure(count_sentences(sentences, self.pytorch, found, np.zeros((len(sentences), 2))), {})
        every = figures.overall
        budgets = [budget for budget in self.spec.budgets if budget.figure != "batch_effect"]
        judgements = judge(VARIANTS["mixed"], figures, budgets)
        within = all(judged.loss is not None and judged.loss.value <= judged.limit for judged in judgements)
        verdict = overall(judgements).value
        return SearchTrial(name, kernels, size, verdict, within, every.f1, every.f1_difference, every.churn)

    def timed(self, trials: Sequence[SearchTrial]) -> tuple[SearchTrial, ...]:
        """The trials with their speed, measured in turns."""
        texts = [sentence.text for sentence in self.spec.dataset.sentences if sentence.text.strip()]
        with ExitStack() as stack:
            classifiers = {trial.name: stack.enter_context(self._open(trial.name)) for trial in trials}
            speeds = measure_speed(classifiers, texts, self.track("speed of trials", ROUNDS))
        return tuple(replace(trial, speed=speeds[trial.name]) for trial in trials)

    def _file(self, name: str) -> Path:
        return self.folder / "variants" / f"{name.replace(' ', '-')}.onnx"

    def _open(self, name: str) -> TokenClassifier:
        fp32 = self.manifest.variants[0]
        options = VARIANTS["mixed"].disabled_optimizers
        entry: VariantEntry = replace(
            fp32, name=name, file=file_entry(self.folder, self._file(name)), disabled_optimizers=options
        )
        return TokenClassifier(self.folder, self.manifest, entry, "cpu", Tuning())
