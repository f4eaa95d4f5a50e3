"""The system under test: a loaded model that answers texts; here a variant of a bundle in the runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from edgener_runtime.decoding.entity import Entity
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.inference.words import Words
from edgener_runtime.pipeline import TokenClassifier

from .job import WorkerJob

SystemLoader = Callable[[WorkerJob], "SystemUnderTest"]
"""Loads the model of a job; its duration is the load time."""


class SystemUnderTest(Protocol):
    """A loaded model."""

    @property
    def provider(self) -> str:
        """The provider that really runs it."""

    @property
    def library(self) -> str:
        """The library that runs it, with its version."""

    @property
    def label_set(self) -> LabelSet:
        """Its labels and their scheme."""

    def answer(self, texts: Sequence[str]) -> list[list[Entity]]:
        """The entities of each text of a batch."""

    def label(self, texts: Sequence[Words]) -> list[list[str]]:
        """One label per word of each text: the label of its first subword."""


class BundleVariant:
    """A variant of a bundle, loaded through the runtime's public interface."""

    def __init__(self, job: WorkerJob) -> None:
        self._classifier = TokenClassifier.load(Path(job.model), job.device, job.variant, job.threads)
        self.provider = self._classifier.provider
        self.library = self._classifier.engine.session.library
        self.label_set = self._classifier.label_set

    def answer(self, texts: Sequence[str]) -> list[list[Entity]]:
        """The entities of each text."""
        return self._classifier.predict_batch(texts)

    def label(self, texts: Sequence[Words]) -> list[list[str]]:
        """One label per word of each text."""
        return self._classifier.label_words(texts)
