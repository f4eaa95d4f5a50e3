"""What a worker measures: something that is loaded and answers texts; here a variant of a bundle in the runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from edgener_runtime.decoding.entity import Entity
from edgener_runtime.inference.words import Words
from edgener_runtime.pipeline import TokenClassifier

from .job import Job

Subject = Callable[[Job], "Loaded"]
"""Loads what a job names; the time that it takes is the load time."""


class Loaded(Protocol):
    """A model that answers."""

    @property
    def provider(self) -> str:
        """What really runs it."""

    @property
    def library(self) -> str:
        """The library that runs it, with its version."""

    def answer(self, texts: Sequence[str]) -> list[list[Entity]]:
        """The entities of each text, run together."""

    def label(self, texts: Sequence[Words]) -> list[list[str]]:
        """One label a word of each text, that of its first subword."""


class Variant:
    """A variant of a bundle, loaded as every user of the runtime does."""

    def __init__(self, job: Job) -> None:
        self._classifier = TokenClassifier.load(Path(job.model), job.device, job.variant, job.threads)
        self.provider = self._classifier.provider
        self.library = self._classifier.engine.session.library

    def answer(self, texts: Sequence[str]) -> list[list[Entity]]:
        """The entities of each text."""
        return self._classifier.predict_batch(texts)

    def label(self, texts: Sequence[Words]) -> list[list[str]]:
        """One label a word of each text."""
        return self._classifier.label_words(texts)
