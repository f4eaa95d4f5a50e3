"""The watchdog against batches that return late or never, and the datagrams that systemd would get."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgener_runtime import Decoding
from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.errors import StalledError
from edgener_runtime.services.systemd import notify
from edgener_runtime.services.watchdog import Watchdog

SECONDS = 0.2  # until a batch is overdue


@dataclass
class Hanging:
    """A classifier whose batches wait for `released`."""

    released: threading.Event = field(default_factory=threading.Event)

    def predict_batch(self, texts: Iterable[str], decoding: Decoding, **_: object) -> list[list[Any]]:
        self.released.wait(60)
        return [[] for _ in texts]

    def close(self) -> None:
        """Nothing to free."""


@dataclass
class Watched:
    """What the watchdog did."""

    lines: list[str] = field(default_factory=list)
    changes: list[bool] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)


def watch(use: Callable[[AsyncTokenClassifier, Watchdog, Hanging], Any], **settings: Any) -> Watched:
    """Use a hanging classifier under a watchdog until the watchdog or the use ends."""
    watched = Watched()

    async def main() -> None:
        hanging = Hanging()
        classifier = AsyncTokenClassifier(hanging, max_characters=100)  # type: ignore[arg-type]
        dog = Watchdog(
            classifier, watched.lines.append, SECONDS, watched.changes.append, end=watched.codes.append, **settings
        )
        tasks = [asyncio.create_task(dog.run()), asyncio.create_task(use(classifier, dog, hanging))]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        hanging.released.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()
        await classifier.close()

    asyncio.run(asyncio.wait_for(main(), 60))
    return watched


async def ask_in_vain(classifier: AsyncTokenClassifier, *_: Any) -> None:
    await classifier.predict("oil leak")


def test_a_batch_that_never_returns_is_reported_and_ends_the_process_with_a_code_of_its_own() -> None:
    watched = watch(ask_in_vain)
    assert watched.codes == [StalledError.exit_code] == [7]
    assert watched.changes == [True]
    overdue, stalled = watched.lines
    assert overdue.startswith("overdue: a batch of 1 text (8 characters) has not returned for 0 s; in 0.2 s this")
    assert stalled.startswith("error: the model hangs: a batch of 1 text (8 characters) has not returned")


def test_a_batch_that_returns_late_is_reported_and_nothing_ends() -> None:
    async def release(classifier: AsyncTokenClassifier, dog: Watchdog, hanging: Hanging) -> None:
        answer = asyncio.create_task(classifier.predict("oil leak"))
        while not dog.overdue:
            await asyncio.sleep(0.01)
        hanging.released.set()
        await answer
        while dog.overdue:
            await asyncio.sleep(0.01)

    watched = watch(release)
    assert (watched.codes, watched.changes) == ([], [True, False])
    assert watched.lines[-1] == "the overdue batch has returned"


def test_a_long_text_gets_its_share_of_time() -> None:
    async def release(classifier: AsyncTokenClassifier, dog: Watchdog, hanging: Hanging) -> None:
        answer = asyncio.create_task(classifier.predict("x" * 1001))  # eleven times the characters of a batch
        await asyncio.sleep(6 * SECONDS)
        assert not dog.overdue
        hanging.released.set()
        await answer

    assert watch(release).codes == []


def test_idle_time_is_not_the_next_batch_s() -> None:
    async def wait(classifier: AsyncTokenClassifier, dog: Watchdog, hanging: Hanging) -> None:
        hanging.released.set()
        for _ in range(8):
            await asyncio.sleep(SECONDS)
            await classifier.predict("oil leak")

    watched = watch(wait)
    assert (watched.codes, watched.changes) == ([], [])


def test_seconds_in_which_the_process_was_stopped_do_not_count() -> None:
    running = SimpleNamespace(texts=1, characters=8)
    classifier: Any = SimpleNamespace(running=running, max_characters=100)
    dog = Watchdog(classifier, print, SECONDS)
    dog._count(0.05)
    dog._last -= 1000  # SIGSTOP, or a machine that was suspended
    dog._count(0.05)
    assert dog._watched is running and dog._ran <= 0.2


@pytest.mark.parametrize("fault", ["raises", "hangs"])
def test_the_process_ends_whatever_becomes_of_the_farewell(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgener_runtime.services.watchdog._FAREWELL", 0.05)

    async def farewell() -> None:
        if fault == "raises":
            raise OSError("planted")
        await asyncio.sleep(60)

    assert watch(ask_in_vain, farewell=farewell).codes == [7]


# --- systemd


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd has it, and its address as NOTIFY_SOCKET names it."""
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(30)
        listening.bind(name if request.param == "path" else f"\0{name}")
        yield listening, name if request.param == "path" else f"@{name}"


def test_the_watchdog_keeps_systemd_s_alive(
    manager: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listening, address = manager
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    watch(ask_in_vain)
    assert {listening.recv(100) for _ in range(3)} == {b"WATCHDOG=1"}


@pytest.mark.parametrize("address", [None, "", "relative", "/no/such/socket", "@nobody-listens"])
def test_without_systemd_nothing_is_sent_and_nothing_fails(address: str | None) -> None:
    notify("READY=1", {} if address is None else {"NOTIFY_SOCKET": address})
