"""The search for the form of every matrix product: the fastest mix within the budgets, and the front on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from edgener.bundle.build import TOKENIZER, draft_manifest, model_file, tokenizer_settings, write_tokenizer
from edgener.data.read import check_labels
from edgener.data.types import Dataset
from edgener.parity.bootstrap import Estimate
from edgener.parity.budgets import Budget, check_budgets
from edgener.parity.figures import measure
from edgener.parity.gate import Verdict, judge, overall
from edgener.parity.measures.counts import count_sentences
from edgener.parity.measures.tagging import Answers, answer
from edgener.parity.reference import PyTorchModel
from edgener.parity.speed import ROUNDS, measure_speed
from edgener_exporters.calibrate.calibration import Calibration
from edgener_exporters.calibrate.measurement_cache import Kept
from edgener_exporters.graph.graph import copy_of, open_graph
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.graph.roles import Product
from edgener_exporters.int8_kernels import FP32, forms_of
from edgener_exporters.quantise.int8 import Form, encoder_products
from edgener_exporters.quantise.int8_dynamic import dynamic_product
from edgener_exporters.quantise.smooth import smooth, smoothable
from edgener_exporters.search.mixed import Plan, write_mixed
from edgener_exporters.search.precision_search import Search, path_of_plans
from edgener_exporters.search.sensitivity import TIMED_ROUNDS, Noise, product_seconds
from edgener_exporters.variants import VARIANTS
from edgener_runtime.backends.base import Tuning
from edgener_runtime.base.files import sha256_of
from edgener_runtime.base.serde import SchemaError, load_json
from edgener_runtime.bundle.manifest import Manifest, Speed, VariantEntry
from edgener_runtime.bundle.verify import file_entry
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.cpu import isa
from edgener_runtime.pipeline import TokenClassifier
from edgener_runtime.text.tokenize import TextTokenizer

from .checkpoint import Checkpoint, data_record, open_checkpoint
from .progress import Track, untracked

BASELINES = (FP32, "int8-dynamic")  # tried and timed beside the mixes
DEFAULT_CHURN = Budget("churn", 0.01)
NOISE_TEXTS = 64  # of the calibration text, on which each product's noise is measured
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class SearchSpec:
    """The text that plans are tried on, which the gate must not judge on later, the calibration text and the budgets.

    Without `cache` nothing is kept of a search that is broken off.
    """

    dataset: Dataset
    calibration: Dataset
    budgets: tuple[Budget, ...]
    method: str = "minmax"
    exporter: str = "torch"
    cache: Path | None = None


@dataclass(frozen=True)
class Trial:
    """One mix that was tried: how many products have each form, what it lost against PyTorch, and how fast it was.

    `within` says whether its bare figures keep the budgets, `verdict` whether their intervals do.
    """

    name: str
    forms: dict[str, int]
    size: int
    verdict: str
    within: bool
    f1: float | None
    f1_difference: Estimate | None
    churn: Estimate | None
    speed: Speed | None = None


@dataclass(frozen=True)
class SearchResult:
    """The plan of the fastest trial within the budgets, what was tried, and what each product does.

    `noise` is the relative L2 of the logits and `seconds` the time of a bare product, by role and form; `reasons` say
    why products stayed in FP32.
    """

    graph: str
    data: str
    isa: str
    chosen: str
    plan: Plan
    reasons: dict[str, str]
    trials: tuple[Trial, ...]
    noise: dict[str, dict[str, float]]
    seconds: dict[str, dict[str, float]]
    schema_version: int = SCHEMA_VERSION

    @property
    def best(self) -> Trial:
        """The trial that was chosen."""
        return next(trial for trial in self.trials if trial.name == self.chosen)


def read_search(file: Path) -> SearchResult:
    """What a search wrote down. Raises UserInputError where it cannot be read."""
    try:
        return load_json(SearchResult, file)
    except (OSError, SchemaError) as error:
        raise UserInputError(f"the plan {file} cannot be read: {error}", "Search again: edgener search") from error


def search_precision(path: Path, spec: SearchSpec, track: Track = untracked) -> SearchResult:
    """Find the fastest mix of forms for a checkpoint on this machine's CPU that keeps the budgets.

    Where the text is too little to be sure even of FP32, bare figures decide; where no mix keeps the budgets, all stays
    in FP32 but the embeddings. The verdict of the chosen trial tells, and the gate judges on. Of churn 1 % is allowed
    where no budget says else. A budget for the batch effect rules dynamic quantisation out, which alone has one. Raises
    UserInputError (checkpoint, data).
    """
    checkpoint = open_checkpoint(path)
    check_labels(checkpoint.entity_labels, spec.dataset)
    name = f"{data_record(spec.dataset).source} ({spec.dataset.split})"
    check_budgets(spec.budgets, checkpoint.entity_labels, bool(spec.dataset.labels), name)
    churn = () if any(budget.figure == "churn" for budget in spec.budgets) else (DEFAULT_CHURN,)
    spec = replace(spec, budgets=(*spec.budgets, *churn))
    with TemporaryDirectory() as folder:
        return search_with(Bench(checkpoint, spec, Path(folder), track), name)


class Runner(Protocol):
    """What a search asks: measurements of products, and trials of plans."""

    graph: str

    def smoothing(self) -> list[str]:
        """The activations whose channels are evened out, in the graph that all later answers are about."""

    def noise(self) -> dict[str, dict[str, float]]:
        """The noise of each product in each form, by role and form."""

    def seconds(self) -> dict[str, dict[str, float]]:
        """The time of each bare product in each form, by role and form."""

    def baseline(self, name: str) -> Trial:
        """A variant as it stands in the table, verified against PyTorch like the mixes."""

    def attempt(self, place: int, plans: Sequence[Mapping[str, str]]) -> Trial:
        """The plan at a place of the path, verified against PyTorch."""

    def timed(self, trials: Sequence[Trial]) -> tuple[Trial, ...]:
        """The trials with their speed."""


def search_with(runner: Runner, data: str) -> SearchResult:
    """Find the fastest mix by what a runner measures on `data`."""
    smoothed = runner.smoothing()
    noise, seconds = runner.noise(), runner.seconds()
    plans = path_of_plans(noise, seconds)
    search = Search(len(plans), lambda place: runner.attempt(place, plans))
    baselines = [runner.baseline(name) for name in BASELINES]
    place = search.run(surely_keeps)
    if place < 0:  # too little text to be sure of anything
        place = max(0, search.run(seems_to_keep))
    trials = runner.timed([*baselines, *(search.trials[tried] for tried in sorted(search.trials))])
    chosen = next(trial for trial in trials if trial.name == search.trials[place].name)
    return SearchResult(
        runner.graph, data, isa(), chosen.name, Plan(plans[place], tuple(smoothed)),
        dict(_reasons(plans, place, noise)), trials, noise, seconds,
    )  # fmt: skip


def surely_keeps(trial: Trial) -> bool:
    """Whether a trial is within every budget with its whole interval."""
    return trial.verdict == Verdict.PASS.value


def seems_to_keep(trial: Trial) -> bool:
    """Whether a trial's bare figures are within every budget."""
    return trial.within


def _reasons(plans: Sequence[Mapping[str, str]], place: int, noise: Mapping[str, Mapping[str, float]]) -> Any:
    """Why products are in FP32 still: what would have come next for each."""
    for role, form in plans[place].items():
        if form != FP32:
            continue
        later = next((plan[role] for plan in plans[place:] if plan[role] != FP32), None)
        if later is None:
            yield role, "no form is faster here"
        else:
            yield role, f"{later} would add {noise[role][later]:.2%} of noise to the logits, too much for what it saves"


@dataclass
class Bench:
    """What a search works on: the FP32 graph in a scratch folder, its calibration, and PyTorch's answers."""

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
        self.calibration.check()
        self.graph = sha256_of(fp32)
        self.model = open_graph(fp32)
        self.kept = Kept(self.spec.cache, [self.graph, self.calibration.sha256, self.spec.method])

    @cached_property
    def forms(self) -> dict[str, Form]:
        """Every form that may be chosen, on the ranges of the smoothed graph."""
        forms = forms_of(self.model, self.calibration)
        if any(budget.figure == "batch_effect" for budget in self.spec.budgets):
            del forms["int8-dynamic"]
        return forms

    @cached_property
    def products(self) -> list[Product]:
        """The products of the smoothed graph."""
        return encoder_products(self.model)

    @cached_property
    def manifest(self) -> Manifest:
        """A manifest of FP32, from which those of trials are made."""
        return draft_manifest(self.checkpoint, [VARIANTS[FP32]], self.folder, {})

    @cached_property
    def pytorch(self) -> Answers:
        """What PyTorch says of the text that trials are judged on."""
        sentences = self.spec.dataset.sentences
        with PyTorchModel.open(self.checkpoint) as model:
            return answer(model, sentences, self.track("PyTorch", len(sentences)))

    def _noise_of(self, model: Any) -> Noise:
        return Noise(model, self.calibration.with_texts(self.calibration.texts[:NOISE_TEXTS]).feeds("noise"))

    def smoothing(self) -> list[str]:
        """Even out the channels of the activations whose products make less noise then; which they are."""
        found = smoothable(self.model)
        step = self.track("smoothing", len(found))
        noise, chosen = self._noise_of(self.model), []
        for name, products in found.items():
            if self.kept(f"smooth {name}", lambda: self._smoothing_gain(name, products, noise)) > 0:  # noqa: B023
                chosen.append(name)
            step()
        smooth(self.model, self.calibration, chosen)
        return chosen

    def _smoothing_gain(self, name: str, products: Sequence[Product], noise: Noise) -> float:
        """The noise it saves, tried in the dynamic form, whose range the largest channel decides."""
        copy = copy_of(self.model)
        smooth(copy, self.calibration, [name])
        roles = {product.role for product in products}
        evened = [product for product in encoder_products(copy) if product.role in roles]
        before, after = (
            noise.changed(model, [(product, dynamic_product) for product in some])
            for model, some in ((self.model, products), (copy, evened))
        )
        return before - after

    def noise(self) -> dict[str, dict[str, float]]:
        """The noise of each product in each form, by role and form."""
        noise, step = self._noise_of(self.model), self.track("noise of products", len(self.products) * len(self.forms))
        found: dict[str, dict[str, float]] = {product.role: {} for product in self.products}
        for product in self.products:
            for name, form in self.forms.items():
                found[product.role][name] = self.kept(
                    f"noise {product.input} {product.role} {name}",
                    lambda: noise.changed(self.model, [(product, form)]),  # noqa: B023
                )
                step()
        return found

    def seconds(self) -> dict[str, dict[str, float]]:
        """The time of each bare product in each form, by role and form."""
        return product_seconds(self.model, self.products, self.forms, self.track("time of products", TIMED_ROUNDS))

    def attempt(self, place: int, plans: Sequence[Mapping[str, str]]) -> Trial:
        """Build the plan at a place of the path and hold it against PyTorch."""
        plan, name = plans[place], f"{place} of {len(plans) - 1}"
        write_mixed(copy_of(self.model), self._file(name), self.forms, plan)
        return self._tried(name, dict(sorted(Counter(plan.values()).items())))

    def baseline(self, name: str) -> Trial:
        """A variant as it stands in the table, held against PyTorch like the mixes."""
        if build := VARIANTS[name].build:
            build(self._file(FP32), self._file(name), self.calibration)
        return self._tried(name, {name: len(self.products)})

    def _tried(self, name: str, forms: dict[str, int]) -> Trial:
        step = self.track(f"trying {name}", len(self.spec.dataset.sentences))
        with self._open(name) as classifier:
            found = answer(classifier, self.spec.dataset.sentences, step)
        trial = self._judged(name, forms, self._file(name).stat().st_size, found)
        churn = f", churn {trial.churn.value:.2%}" if trial.churn else ""
        self.track(f"{name}: {trial.verdict}{churn}", 1)()  # stays in sight under the bars
        return trial

    def _judged(self, name: str, forms: dict[str, int], size: int, found: Answers) -> Trial:
        import numpy as np

        sentences = self.spec.dataset.sentences
        figures = measure(count_sentences(sentences, self.pytorch, found, np.zeros((len(sentences), 2))), {})
        every = figures.overall
        budgets = [budget for budget in self.spec.budgets if budget.figure != "batch_effect"]
        judgements = judge(VARIANTS["mixed"], figures, budgets)
        within = all(judged.loss is not None and judged.loss.value <= judged.limit for judged in judgements)
        verdict = overall(judgements).value
        return Trial(name, forms, size, verdict, within, every.f1, every.f1_difference, every.churn)

    def timed(self, trials: Sequence[Trial]) -> tuple[Trial, ...]:
        """The trials with their speed, all measured in turns."""
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
