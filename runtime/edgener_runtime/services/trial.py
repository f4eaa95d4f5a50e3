"""The trial of a bundle that a store has activated: its first answers decide whether it counts as good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edgener_runtime.bundle.store.store import Store, store_of
from edgener_runtime.errors import EdgenerError, UserInputError

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier


def _nothing() -> None:
    """No reload."""


@dataclass
class BundleTrial:
    """Counts the answers of a bundle on trial in its store; with the first that fails, the store is rolled back.

    `report` receives each line for the log; `reload` loads the active bundle again, without a gap. Without a store, or
    with a good bundle, all of this does nothing. Answers must be counted from the event loop.
    """

    store: Store | None = None
    report: Callable[[str], None] = lambda line: None
    reload: Callable[[], object] = _nothing
    _left: dict[str, int] = field(default_factory=dict)  # answers by version
    _started: str | None = None

    @classmethod
    def of(cls, bundle: Path, report: Callable[[str], None]) -> BundleTrial:
        """The trial of the bundle that a service was pointed to: that of a store where it is the store's link."""
        return cls(store_of(bundle), report)

    def load(self, loader: Callable[[Path], TokenClassifier], bundle: Path) -> TokenClassifier:
        """Load the bundle; in a store, one that cannot be loaded is rolled back. Raises what `loader` raises."""
        if self.store is None:
            return loader(bundle)
        is_start = self._started is None
        loaded = self.store.load(loader, is_start)
        version = loaded.manifest.version
        self._started = self._started or version
        if answers := self.store.answers_left(version):
            self._left[version] = answers
            self.report(f"version {version} is on trial for {answers} answers")
        return loaded

    def succeeded(self, version: str) -> None:
        """Count a request that was answered; the last one confirms the bundle."""
        if self.store and version in self._left:
            self._left[version] -= 1
            if self._left[version] <= 0:
                del self._left[version]
                asyncio.get_running_loop().run_in_executor(None, self._confirm, self.store, version)

    def failed(self, version: str, error: Exception, what: str = "a request") -> None:
        """Roll back and reload where a bundle on trial failed at something, unless that was the client's fault."""
        if isinstance(error, UserInputError) or version not in self._left:
            return
        reason = error.message if isinstance(error, EdgenerError) else repr(error)
        loop = asyncio.get_running_loop()

        def roll_back() -> None:
            if self.gave_up(version, f"{what} failed: {reason}"):
                loop.call_soon_threadsafe(self.reload)

        loop.run_in_executor(None, roll_back)

    def gave_up(self, version: str, reason: str) -> bool:
        """Roll back where the version is on trial, before the process may end; whether another is active now."""
        if self._left.pop(version, None) is None or self.store is None:
            return False
        try:
            entry = self.store.rollback(reason, version)
        except EdgenerError as error:
            self.report(f"not rolled back from {version}: {error.message}")
            return False
        self.report(f"rolled back from {version} to {entry.version}: {reason}")
        return True

    def close(self) -> None:
        """Record that the process ends in order."""
        if self.store and self._started:
            try:
                self.store.ended(self._started)
            except EdgenerError as error:
                self.report(f"the store could not be written: {error.message}")

    def _confirm(self, store: Store, version: str) -> None:
        try:
            store.confirm(version)
            self.report(f"version {version} has passed its trial")
        except EdgenerError as error:
            self.report(f"version {version} has passed its trial, which could not be recorded: {error.message}")
