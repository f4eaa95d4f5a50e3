"""SIGHUP: a changed bundle takes the place of the one in use, without a gap."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.decoding.entity import PLAIN, Decoding
from edgener_runtime.errors import EdgenerError
from edgener_runtime.text.chunks import ProbeText

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

_PROBE = ProbeText("probe")  # any text will do
_PATIENCE = 4  # times the seconds for a batch: one that hangs is given up after twice as many


@dataclass
class Reload:
    """Loads a classifier, lets it answer a text, and passes it to `use`, which also closes the old one.

    Where any of it fails, or the text has no answer within `seconds`, the old classifier stays in use. `report`
    receives each line for the log, `refused` the bundle's version and the reason where the text has no answer, `count`
    whether a new classifier is in use. Inside `alone`, nothing else replaces the classifier.
    """

    load: Callable[[], TokenClassifier]
    use: Callable[[AsyncTokenClassifier], Awaitable[None]]
    report: Callable[[str], None]
    seconds: float
    decoding: Decoding = PLAIN
    refused: Callable[[str, str], object] = lambda version, reason: None
    count: Callable[[bool], object] = lambda is_loaded: None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Reload. Raises EdgenerError, and whatever else a bundle and its model may raise."""
        try:
            async with self.alone():
                fresh = await self._warmed()
                model = fresh.classifier
                self.report(f"reloaded: {model.manifest.name}, {model.variant.name} on {model.provider}")
                await self.use(fresh)
        except Exception:
            self.count(False)
            raise
        self.count(True)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait for another load to end. Raises EdgenerError where that takes long, as from a disk without answers."""
        seconds = _PATIENCE * self.seconds
        try:
            await asyncio.wait_for(self._lock.acquire(), seconds)
        except asyncio.TimeoutError:
            hint = "Try again; where its files cannot be read, start the process again."
            raise EdgenerError(f"another load or unload has not ended within {seconds:g} s", hint) from None
        try:
            yield
        finally:
            self._lock.release()

    async def at_hangup(self) -> None:
        """Reload; where it fails, only report it."""
        self.report("SIGHUP: loads the bundle again")
        try:
            await self.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, texts are answered with the old one
            self.report(f"not reloaded, the old bundle stays in use: {reason_of(error)}")

    async def _warmed(self) -> AsyncTokenClassifier:
        """A new classifier that has answered a text. Raises EdgenerError and what a model may raise."""
        loaded = await asyncio.get_running_loop().run_in_executor(None, self.load)
        fresh = AsyncTokenClassifier(loaded)
        try:
            await asyncio.wait_for(fresh.predict(_PROBE, self.decoding), self.seconds)
        except asyncio.TimeoutError:  # another class than TimeoutError before Python 3.11
            fresh.abandon()
            late = EdgenerError(f"its model has not answered within {self.seconds:g} s")
            self.refused(loaded.manifest.version, late.message)
            raise late from None
        except Exception as error:
            self.refused(loaded.manifest.version, reason_of(error))
            await fresh.close()
            raise
        return fresh


@dataclass
class Hangup:
    """Runs `reload` at each SIGHUP, or once more where it runs already: a bundle may have changed since it began."""

    reload: Callable[[], Awaitable[None]]
    _reloading: asyncio.Task[None] | None = None
    _again: bool = False

    def install(self) -> None:
        """Handle SIGHUP from now on; from the event loop."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.request)

    def request(self) -> None:
        """Reload, as at a signal."""
        self._again = True
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._reload())

    async def _reload(self) -> None:
        while self._again:
            self._again = False
            await self.reload()


def reason_of(error: Exception) -> str:
    """Why something failed, in a line of the log."""
    return error.message if isinstance(error, EdgenerError) else repr(error)
