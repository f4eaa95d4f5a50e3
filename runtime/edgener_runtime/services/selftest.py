"""The golden vectors of the bundle in use, checked regularly while a service runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.golden import check_golden

from .reload import reason_of
from .trial import BundleTrial

_HOUR = 3600  # seconds


@dataclass
class RegularSelftest:
    """Checks the golden vectors of the classifier that `in_use` returns, every so many hours, beside its requests.

    With the first check that fails a bundle on trial is rolled back. `changed` gets why a check has failed, and None
    once one passes; `report` receives each line for the log.
    """

    hours: float
    in_use: Callable[[], AsyncTokenClassifier | None]
    trial: BundleTrial
    report: Callable[[str], None]
    changed: Callable[[str | None], None]

    async def run(self) -> None:
        """Check until this task is cancelled; with 0 hours never."""
        while self.hours:
            await asyncio.sleep(self.hours * _HOUR)
            await self.check()

    async def check(self) -> None:
        """Check once; what comes of a classifier that was replaced meanwhile counts for nothing."""
        used = self.in_use()
        if used is None:
            return
        failed: Exception | None = None
        try:
            await asyncio.get_running_loop().run_in_executor(None, check_golden, used.classifier)
        except Exception as error:  # noqa: BLE001 - whatever it is, texts may have wrong answers
            failed = error
        if used is self.in_use():
            self._report(used.classifier.manifest.version, failed)

    def _report(self, version: str, failed: Exception | None) -> None:
        if failed is None:
            self.changed(None)
            return
        reason = f"the selftest failed: {reason_of(failed)}"
        self.report(reason)
        self.changed(reason)
        self.trial.failed(version, failed, "the selftest")
