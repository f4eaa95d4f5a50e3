"""The state that endpoints share: the models, the limits, the metrics, and whether the server drains."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.requests import Request

from edgener_runtime.decoding.entity import Decoding
from edgener_runtime.pipeline import Answer

from .admission.body_budget import BodyMemory
from .limits import Limits
from .metrics import Metrics
from .models.lifecycle import Lifecycle
from .models.served import ServedModel
from .models.table import ModelTable


class Service:
    """The models and what they share. All calls must come from one event loop."""

    def __init__(self, models: Sequence[ServedModel], limits: Limits, has_control: bool = False) -> None:
        self.models = ModelTable(models)
        self.limits = limits
        self.has_control = has_control  # whether clients may load and unload models
        self.metrics = Metrics(self.models)
        self.lifecycles = {model: Lifecycle(model, self.models, self.metrics.count_reload) for model in models}
        self.bodies = BodyMemory(limits.bodies)
        self.draining = False

    @property
    def not_ready(self) -> str | None:
        """Why the server should get no requests, if so."""
        return "the server stops" if self.draining else self.models.not_ready

    def not_ready_model(self, model: ServedModel) -> str | None:
        """Why a model should get no requests, if so."""
        return "the server stops" if self.draining else model.not_ready

    def watch(self) -> None:
        """Watch the models from now on; from the event loop."""
        for lifecycle in self.lifecycles.values():
            lifecycle.watch()

    def unwatch(self) -> None:
        """Watch the models no more."""
        for lifecycle in self.lifecycles.values():
            lifecycle.close()

    async def reload(self) -> None:
        """Load the bundles in use again, one after the other, so that one more than those is in memory.

        One that takes long does not hold up the next.
        """
        for model, lifecycle in self.lifecycles.items():
            if model.is_expected:
                reloading = asyncio.ensure_future(lifecycle.reload.at_hangup())
                await asyncio.wait([reloading], timeout=2 * self.limits.overdue)

    async def answer(
        self, model: ServedModel, texts: Sequence[str], decoding: Decoding, request: Request
    ) -> list[Answer]:
        """What the model answers, with its batches counted."""
        try:
            return await model.answer(texts, decoding, request)
        finally:
            self.metrics.take_batches()

    async def close(self) -> None:
        """Answer the accepted texts, then free the models."""
        await self.models.close()
