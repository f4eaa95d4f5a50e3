"""The state that the checks of a selftest share: the request, the loaded model, and the results so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgener_runtime.errors import EdgenerError, ProviderError

from .report import FAIL, PASS, SKIPPED, Answer, CheckResult, SelftestReport

if TYPE_CHECKING:
    from edgener_runtime.bundle.manifest import Manifest, VariantEntry
    from edgener_runtime.pipeline import TokenClassifier

SECONDS = 5.0
_AGAINST = "compare with another machine's report: --against"
Thing = TypeVar("Thing")


@dataclass(frozen=True)
class SelftestRequest:
    """The request of a selftest: a bundle's variant on a device; `texts` are None for synthetic ones.

    `against` is another machine's report, `emulated_by` the emulator of this one, `seconds` the time to measure speed.
    """

    bundle: Path
    device: str = "auto"
    variant: str = "auto"
    threads: int | None = None
    texts: tuple[str, ...] | None = None
    against: SelftestReport | None = None
    emulated_by: str | None = None
    seconds: float = SECONDS
    name: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The outcome of a check that did not raise."""

    detail: str
    figures: dict[str, float] = field(default_factory=dict)
    status: str = PASS


def skip(reason: str) -> Outcome:
    """The outcome of a check that cannot run here."""
    return Outcome(reason, status=SKIPPED)


class SelftestContext:
    """A context manager with the state of a selftest; it frees the model at its end."""

    def __init__(self, request: SelftestRequest) -> None:
        self.request = request
        self.results: list[CheckResult] = []
        self.probe: dict[str, Any] = {}
        self.answers: tuple[Answer, ...] = ()
        self.why_no_reference = ""
        self._manifest: Manifest | None = None
        self._classifier: TokenClassifier | None = None

    @property
    def manifest(self) -> Manifest:
        """The bundle's manifest, once it is verified."""
        return _there(self._manifest, "the bundle is not verified")

    @manifest.setter
    def manifest(self, manifest: Manifest) -> None:
        self._manifest = manifest

    @property
    def classifier(self) -> TokenClassifier:
        """The variant on the device, once it is loaded."""
        return _there(self._classifier, "nothing is loaded")

    @classifier.setter
    def classifier(self, classifier: TokenClassifier) -> None:
        self.close()
        self._classifier = classifier

    @property
    def variant(self) -> VariantEntry:
        """The variant that is loaded."""
        return self.classifier.variant

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The given texts, else synthetic ones from the bundle's vocabulary, the same on every machine."""
        from edgener_runtime.commissioning.tune import synthetic_texts
        from edgener_runtime.text.tokenize import TextTokenizer

        from .answers import TEXTS

        if self.request.texts is not None:
            return self.request.texts
        settings = self.manifest.tokenizer
        return tuple(synthetic_texts(TextTokenizer(self.request.bundle / settings.file, settings), TEXTS))

    @contextmanager
    def open_reference(self) -> Iterator[TokenClassifier | None]:
        """The reference for the device's answers, loaded on the CPU; None if there is none."""
        classifier = self._reference()
        try:
            yield classifier
        finally:
            if classifier is not None:
                classifier.close()

    def _reference(self) -> TokenClassifier | None:
        """The reference, or None with `why_no_reference`: no onnxruntime beside TensorRT, or FP32 on the CPU itself."""
        from edgener_runtime.pipeline import TokenClassifier

        from .answers import reference_of

        request = self.request
        entry = reference_of(self.manifest, self.variant, self.classifier.provider)
        if entry is None:
            self.why_no_reference = f"nothing on this CPU is closer to PyTorch than {self.variant.name}; {_AGAINST}"
            return None
        try:
            return TokenClassifier.load(request.bundle, "cpu", entry.name, request.threads)
        except ProviderError as error:
            self.why_no_reference = f"no reference on this CPU: {error.message}; {_AGAINST}"
            return None

    @cached_property
    def reference(self) -> tuple[str, tuple[Answer, ...]] | None:
        """The name and the answers of the reference variant; None if there is none."""
        from .answers import answer_all

        with self.open_reference() as classifier:
            return (classifier.variant.name, answer_all(classifier, self.texts)) if classifier else None

    @property
    def is_loaded(self) -> bool:
        """Whether a variant is loaded."""
        return self._classifier is not None

    def passed(self, check: str) -> bool:
        """Whether a check of this name ran and passed."""
        return any(result.name == check and result.status == PASS for result in self.results)

    @property
    def failed(self) -> CheckResult | None:
        """The first check that failed."""
        return next((result for result in self.results if result.status == FAIL), None)

    def close(self) -> None:
        """Free the model; results stay."""
        if self._classifier is not None:
            self._classifier.close()

    def __enter__(self) -> SelftestContext:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _there(thing: Thing | None, otherwise: str) -> Thing:
    if thing is None:
        raise EdgenerError(f"a check ran too early: {otherwise}")
    return thing
