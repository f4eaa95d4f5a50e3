"""What becomes of a model while the server runs: it is watched, loaded again, unloaded, and given up where it hangs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial

from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.services.http.error_responses import RequestError
from edgener_runtime.services.reload import Reload, reason_of
from edgener_runtime.services.selftest import RegularSelftest
from edgener_runtime.services.watchdog import Watchdog

from .served import ServedModel
from .table import ModelTable

_GIVEN_UP = "it is used no more, the other models go on; load it again, or start the server again"
_REPLACED = "that was the bundle before it was loaded again; its requests are given up"


class Lifecycle:
    """Watches a model, and loads, unloads and replaces its classifier; one of these at a time.

    `count` receives the name of the model and whether it was loaded again. `end` ends the process where a batch does
    not return and no other model answers.
    """

    def __init__(
        self,
        model: ServedModel,
        models: ModelTable,
        count: Callable[[str, bool], object],
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self.model = model
        self.models = models
        self.end = end
        source = model.source
        self.reload = Reload(
            source.load, self._use, source.log.info, model.limits.overdue, refused=source.trial.gave_up,
            count=lambda is_loaded: count(model.name, is_loaded),
        )  # fmt: skip
        self._watching: dict[AsyncTokenClassifier, asyncio.Task[None]] = {}
        self._selftest: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Watch the classifier in use, and those that take its place; from the event loop."""
        self._watch(self.model.classifier)
        model, source = self.model, self.model.source
        regular = RegularSelftest(
            source.selftest_hours, lambda: model.classifier, source.trial, source.log.error, model.set_selftest_fault
        )
        self._selftest = asyncio.create_task(regular.run())

    async def load(self) -> None:
        """Load the bundle again, or anew. Raises RequestError 500 where that fails; a classifier in use stays so."""
        try:
            await self.reload.run()
        except Exception as error:  # noqa: BLE001 - whatever a bundle and its model raise
            reason = reason_of(error)
            self.model.source.log.error("not loaded: %s", reason)
            if self.model.classifier is None:
                self.model.refusal = f"it was not loaded: {reason}"
            raise RequestError(
                500, f"{self.model.source.title} was not loaded: {reason}", "Fix the bundle, and load it again."
            ) from None

    async def unload(self) -> None:
        """Accept no more texts for the model, and free it once the accepted ones are answered.

        Raises EdgenerError where a load does not end.
        """
        async with self.reload.alone():
            old = self.model.classifier
            self.model.is_expected = False
            self.model.source.log.info("unloads the bundle: %d texts wait", self.model.pending)
            await self.model.retire("it was unloaded")
            self._unwatch(old)
            self.model.source.log.info("unloaded")

    def close(self) -> None:
        """Watch no more."""
        if self._selftest:
            self._selftest.cancel()
        for classifier in list(self._watching):
            self._unwatch(classifier)

    async def _use(self, fresh: AsyncTokenClassifier) -> None:
        old = self.model.classifier
        self._watch(fresh)
        try:
            await self.model.use(fresh)
        except Exception:
            self._unwatch(fresh)
            await fresh.close()
            raise
        self._unwatch(old)

    def _watch(self, classifier: AsyncTokenClassifier | None) -> None:
        if classifier:
            seconds, give_up = self.model.limits.overdue, partial(self._give_up, classifier)
            watchdog = Watchdog(classifier, self.model.source.log.error, seconds, self.model.set_overdue, end=give_up)
            self._watching[classifier] = asyncio.create_task(watchdog.run())

    def _unwatch(self, classifier: AsyncTokenClassifier | None) -> None:
        if classifier in self._watching:
            self._watching.pop(classifier).cancel()

    def _give_up(self, classifier: AsyncTokenClassifier, code: int) -> None:
        """End the process, as nothing else stops a run; where other models answer, only use this one no more."""
        trial = self.model.source.trial
        rolled_back = trial.gave_up(classifier.classifier.manifest.version, "the watchdog: its model hangs")
        if not self.models.answers_without(self.model):
            self.end(code)
        replaced = classifier is not self.model.classifier
        self.model.source.log.error(_REPLACED if replaced else _GIVEN_UP)
        self.model.give_up(classifier)
        del self._watching[classifier]
        if rolled_back:
            trial.reload()
