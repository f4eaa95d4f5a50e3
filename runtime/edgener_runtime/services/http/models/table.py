"""The models of the server by their names."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from edgener_runtime.services.http.error_responses import RequestError

from .served import ServedModel

VERSION = "1"  # of every model, for protocols that ask for one


class ModelTable:
    """The models that the server was started with; no other is ever loaded."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self._models = tuple(models)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    @property
    def names(self) -> list[str]:
        """The names; that of a model served under its bundle's name may change when it is loaded again."""
        return [model.name for model in self]

    @property
    def expected(self) -> list[ServedModel]:
        """The models that were not unloaded."""
        return [model for model in self if model.is_expected]

    def find(self, name: str, version: str = VERSION) -> ServedModel:
        """The model of a name and version. Raises RequestError 404."""
        for model in self:
            if (name, version) == (model.name, VERSION):
                return model
        known = f"The model is {self._listed()}" if len(self) == 1 else f"The models are {self._listed()}, each"
        raise RequestError(404, f"there is no model {name!r} in version {version}", f"{known} in version {VERSION}.")

    def only(self) -> ServedModel:
        """The model for a request that names none. Raises RequestError 422 where there are several."""
        if len(self) > 1:
            raise RequestError(422, "the request names no model", f'Add "model", one of {self._listed()}.')
        return self._models[0]

    def answers_without(self, model: ServedModel) -> bool:
        """Whether another model answers."""
        return any(other.classifier for other in self if other is not model)

    @property
    def pending(self) -> int:
        """Texts accepted and not yet answered."""
        return sum(model.pending for model in self)

    @property
    def not_ready(self) -> str | None:
        """Why one of the expected models should get no requests, if so."""
        if not self.expected:
            return "no model is loaded"
        reasons = (model.not_ready_named for model in self.expected)
        return next(filter(None, reasons), None)

    async def check_within(self) -> None:
        """Run the expected models on a tiny text, beside each other. Raises RequestError 503 where one fails."""
        await asyncio.gather(*(model.check_within() for model in self.expected))

    async def start(self) -> None:
        """Run each model once, one after the other, and measure it. Raises what a model raises."""
        for model in self:
            await model.start()

    async def close(self) -> None:
        """Answer the accepted texts, then free the models."""
        await asyncio.gather(*(model.close() for model in self))

    def _listed(self) -> str:
        return ", ".join(map(repr, self.names))
