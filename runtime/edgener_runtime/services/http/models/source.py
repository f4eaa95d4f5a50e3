"""Where a model of the server comes from, and how messages and the log name it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgener_runtime.errors import EdgenerError
from edgener_runtime.services.trial import BundleTrial

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier


@dataclass(frozen=True)
class ModelSource:
    """What opens a model's bundle, and the name it is served under; without one, it has that of its bundle.

    `trial` counts the first answers of a bundle that a store has activated. Every `selftest_hours` its golden vectors
    are checked, with 0 never.
    """

    load: Callable[[], TokenClassifier]
    name: str | None = None
    trial: BundleTrial = field(default_factory=BundleTrial)
    selftest_hours: float = 0

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Put the name, if there is one, before the message of an error."""
        try:
            yield
        except EdgenerError as error:
            if self.name:
                error.message = f"{self.title}: {error.message}"
            raise

    @property
    def title(self) -> str:
        """The model in a message: by name where the server was started with names."""
        return f"model {self.name!r}" if self.name else "the model"

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A log whose lines name the model where the server was started with names."""
        return _NamedLog(logging.getLogger(__name__), {"model": self.name})


class _NamedLog(logging.LoggerAdapter):  # type: ignore[type-arg]  # not generic before Python 3.11
    """A log whose lines begin with the name of a model, if it has one."""

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """The line with its name."""
        name = self.extra and self.extra["model"]
        return (f"{name}: {msg}" if name else msg), {**kwargs, "extra": self.extra}
