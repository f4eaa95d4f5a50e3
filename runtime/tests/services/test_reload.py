"""SIGHUP with classifiers that load, fail to, or hang."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from edgener_runtime import Decoding
from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.errors import BundleError, EdgenerError
from edgener_runtime.services.reload import Hangup, Reload


@dataclass
class Loaded:
    """A classifier of a version, whose texts wait for `released`."""

    version: int
    released: threading.Event = field(default_factory=threading.Event)
    closed: bool = False
    provider: str = "CPU"

    @property
    def manifest(self) -> Any:
        return SimpleNamespace(name=f"version {self.version}", version=str(self.version))

    @property
    def variant(self) -> Any:
        return SimpleNamespace(name="fp32")

    def predict_batch(self, texts: Iterable[str], decoding: Decoding, **_: object) -> list[list[Any]]:
        self.released.wait(60)
        return [[] for _ in texts]

    def close(self) -> None:
        self.closed = True


def reload(load: Callable[[], Any], requests: int = 1) -> tuple[list[Loaded], list[str]]:
    """The classifiers that came into use, and what was reported."""
    used: list[Loaded] = []
    lines: list[str] = []

    async def use(fresh: AsyncTokenClassifier) -> None:
        used.append(fresh.classifier)  # type: ignore[arg-type]

    async def main() -> None:
        reloading = Hangup(Reload(load, use, lines.append, seconds=0.3).at_hangup)
        for _ in range(requests):
            reloading.request()
            await asyncio.sleep(0)
        assert reloading._reloading
        await reloading._reloading

    asyncio.run(asyncio.wait_for(main(), 60))
    return used, lines


def test_a_classifier_is_used_once_it_has_answered() -> None:
    loaded = Loaded(2)
    loaded.released.set()
    used, lines = reload(lambda: loaded)
    assert used == [loaded] and not loaded.closed
    assert lines == ["SIGHUP: loads the bundle again", "reloaded: version 2, fp32 on CPU"]


def test_a_signal_during_a_reload_is_another_reload() -> None:
    versions = iter(range(9))

    def load() -> Loaded:
        loaded = Loaded(next(versions))
        loaded.released.set()
        return loaded

    used, _ = reload(load, requests=3)
    assert [loaded.version for loaded in used] == [0, 1]


@pytest.mark.parametrize(
    ("error", "message"), [(BundleError("it is damaged"), "it is damaged"), (OSError("planted"), "OSError('planted')")]
)
def test_what_cannot_be_loaded_is_not_used(error: Exception, message: str) -> None:
    def load() -> Loaded:
        raise error

    used, lines = reload(load)
    assert (used, lines[-1]) == ([], f"not reloaded, the old bundle stays in use: {message}")


def test_a_model_that_hangs_is_not_used() -> None:
    loaded = Loaded(2)
    threading.Timer(2, loaded.released.set).start()  # so that the test ends
    used, lines = reload(lambda: loaded)
    assert (used, lines[-1]) == (
        [], "not reloaded, the old bundle stays in use: its model has not answered within 0.3 s",
    )  # fmt: skip


def test_who_waits_for_a_load_that_does_not_end_gets_an_error() -> None:
    """As from a disk that does not answer."""
    gate = threading.Event()
    loaded = Loaded(2)
    loaded.released.set()

    def load() -> Any:
        assert gate.wait(60)
        return loaded

    async def use(_: AsyncTokenClassifier) -> None:
        """Once the disk answers again."""

    async def main() -> None:
        reloading = Reload(load, use, lambda _: None, seconds=0.05)
        first = asyncio.ensure_future(reloading.run())
        await asyncio.sleep(0)
        for _ in range(2):
            with pytest.raises(EdgenerError, match=r"another load or unload has not ended within 0\.2 s"):
                await reloading.run()
        gate.set()
        reloading.seconds = 30
        await reloading.run()
        await first

    asyncio.run(asyncio.wait_for(main(), 60))
