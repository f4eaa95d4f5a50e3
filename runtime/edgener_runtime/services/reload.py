"""SIGHUP: a changed bundle takes the place of the one in use, without a gap."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.decoding.entity import PLAIN, Decoding
from edgener_runtime.errors import EdgenerError

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

_PROBE = "probe"  # any text will do


@dataclass
class Reload:
    """Loads a classifier at each SIGHUP, lets it answer a text, and passes it to `use`, which also closes the old one.

    Where any of it fails, or the text has no answer within `seconds`, the old classifier stays in use. `report`
    receives each line for the log.
    """

    load: Callable[[], TokenClassifier]
    use: Callable[[AsyncTokenClassifier], Awaitable[None]]
    report: Callable[[str], None]
    seconds: float
    decoding: Decoding = PLAIN
    _reloading: asyncio.Task[None] | None = None
    _again: bool = False

    def install(self) -> None:
        """Handle SIGHUP from now on; from the event loop."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.request)

    def request(self) -> None:
        """Reload, or once more where a reload is in progress: the bundle may have changed since it began."""
        if self._reloading and not self._reloading.done():
            self._again = True
        else:
            self._reloading = asyncio.create_task(self._reload())

    async def _reload(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            self.report("SIGHUP: loads the bundle again")
            try:
                fresh = await self._warmed()
            except Exception as error:  # noqa: BLE001 - whatever it is, texts are answered with the old one
                reason = error.message if isinstance(error, EdgenerError) else repr(error)
                self.report(f"not reloaded, the old bundle stays in use: {reason}")
                continue
            model = fresh.classifier
            self.report(f"reloaded: {model.manifest.name}, {model.variant.name} on {model.provider}")
            await self.use(fresh)

    async def _warmed(self) -> AsyncTokenClassifier:
        """A new classifier that has answered a text. Raises EdgenerError and what a model may raise."""
        loaded = await asyncio.get_running_loop().run_in_executor(None, self.load)
        fresh = AsyncTokenClassifier(loaded)
        try:
            await asyncio.wait_for(fresh.predict(_PROBE, self.decoding), self.seconds)
        except asyncio.TimeoutError:  # another class than TimeoutError before Python 3.11
            raise EdgenerError(f"its model has not answered within {self.seconds:g} s") from None
        except Exception:
            await fresh.close()
            raise
        return fresh
