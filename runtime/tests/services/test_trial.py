"""The trial of a bundle: what its answers make of it, in the store and in the log."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.bundle.store.store import Store, store_of
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import DeviceError, TextError
from edgener_runtime.services.trial import BundleTrial


class Opened:
    """What a service opens."""

    def __init__(self, folder: Path) -> None:
        self.manifest = verify_bundle(folder)


@pytest.fixture
def trial(bundle: Path, copy: Path, tmp_path: Path) -> BundleTrial:
    """A good bundle, and one that is on trial for two answers."""
    Store(tmp_path / "store", trial=0).install(bundle)
    text = (copy / "manifest.json").read_text(encoding="utf-8").replace('"tiny-factory"', '"second"', 1)
    (copy / "manifest.json").write_text(text, encoding="utf-8")
    store = Store(tmp_path / "store", trial=2)
    store.install(copy)
    lines: list[str] = []
    found = BundleTrial.of(store.active, lines.append)
    found.lines = lines  # type: ignore[attr-defined]
    found.load(Opened, store.active)  # type: ignore[arg-type]
    return found


def states(trial: BundleTrial) -> dict[str, str]:
    assert trial.store
    return {entry.name: entry.state for entry in trial.store.listing().bundles}


def version(trial: BundleTrial) -> str:
    assert trial.store
    return str(trial.store.listing().active)


def run(act: Callable[[], object], until: Callable[[], object]) -> None:
    """Act in an event loop, and wait for what comes of it."""

    async def main() -> None:
        act()
        end = time.monotonic() + 60
        while not until() and time.monotonic() < end:
            await asyncio.sleep(0.01)
        assert until()

    asyncio.run(main())


def test_enough_answers_confirm_the_bundle(trial: BundleTrial) -> None:
    asyncio.run(_once(lambda: trial.succeeded(version(trial))))
    assert states(trial)["second"] == "trial"
    run(lambda: trial.succeeded(version(trial)), lambda: states(trial)["second"] == "good")


async def _once(act: Callable[[], object]) -> None:
    act()


@pytest.mark.parametrize("error", [DeviceError("out of memory"), ValueError("anything")])
def test_the_first_failure_rolls_back_and_reloads(trial: BundleTrial, error: Exception) -> None:
    reloads: list[int] = []
    trial.reload = lambda: reloads.append(1)
    failing = version(trial)

    def fail() -> None:
        for _ in range(3):
            trial.failed(failing, error)

    run(fail, lambda: reloads)
    assert states(trial) == {"second": "failed", "tiny-factory": "good"}
    assert trial.store and "a request failed: " in str(trial.store.listing().events[-1].reason)


def test_a_fault_of_the_client_counts_for_nothing(trial: BundleTrial) -> None:
    asyncio.run(_once(lambda: trial.failed(version(trial), TextError("too long"))))
    assert states(trial)["second"] == "trial"


def test_a_good_bundle_is_not_rolled_back_by_a_request(trial: BundleTrial) -> None:
    assert trial.store
    trial.store.rollback("by hand")
    trial.load(Opened, trial.store.active)  # type: ignore[arg-type]
    asyncio.run(_once(lambda: trial.failed(version(trial), DeviceError("out of memory"))))
    trial.gave_up(version(trial), "the watchdog")
    assert states(trial) == {"second": "failed", "tiny-factory": "good"}


def test_the_watchdog_rolls_back_at_once(trial: BundleTrial) -> None:
    trial.gave_up(version(trial), "the watchdog: its model hangs")
    assert states(trial)["second"] == "failed"


def test_a_process_that_ends_in_order_does_not_count(trial: BundleTrial) -> None:
    def starts() -> int:
        assert trial.store
        return next(entry.starts for entry in trial.store.listing().bundles if entry.name == "second")

    assert starts() == 1
    trial.close()
    assert starts() == 0


def test_without_a_store_nothing_happens(bundle: Path, tmp_path: Path) -> None:
    plain = BundleTrial.of(bundle, print)
    opened: Any = plain.load(Opened, bundle)  # type: ignore[arg-type]
    plain.succeeded(opened.manifest.version)
    plain.failed(opened.manifest.version, DeviceError("x"))
    plain.gave_up(opened.manifest.version, "x")
    plain.close()
    shutil.copytree(bundle, tmp_path / "active")
    assert plain.store is None and store_of(tmp_path / "active") is None
