"""The selftest of a running service: what it makes of golden vectors that pass, fail, and pass again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from edgener_runtime.errors import DeviceError, ParityError
from edgener_runtime.services import selftest as module
from edgener_runtime.services.selftest import RegularSelftest
from edgener_runtime.services.trial import BundleTrial


class Used:
    """What a service uses: a classifier of this version."""

    def __init__(self, version: str = "v1") -> None:
        self.classifier = self
        self.manifest = self
        self.version = version


class Noted(BundleTrial):
    """A trial that notes its failures."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[tuple[str, str]] = []

    def failed(self, version: str, error: Exception, what: str = "") -> None:
        self.failures.append((version, str(error)))


def regular(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[Any], object], in_use: Callable[[], Any], hours: float = 1
) -> tuple[RegularSelftest, list[str | None]]:
    monkeypatch.setattr(module, "check_golden", answer)
    changes: list[str | None] = []
    return RegularSelftest(hours, in_use, Noted(), lambda line: None, changes.append), changes


@pytest.mark.parametrize("error", [ParityError("other answers"), DeviceError("no memory"), ValueError("anything")])
def test_a_failure_is_passed_on_and_a_pass_takes_it_back(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    errors: list[Exception] = [error]
    used = Used()

    def answer(_: object) -> None:
        if errors:
            raise errors.pop()

    found, changes = regular(monkeypatch, answer, lambda: used)
    asyncio.run(found.check())
    asyncio.run(found.check())
    assert str(changes[0]).startswith("the selftest failed: ") and changes[1:] == [None]
    assert [version for version, _ in found.trial.failures] == ["v1"]  # type: ignore[attr-defined]


def test_what_was_replaced_meanwhile_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    used = [Used("v1")]

    def answer(_: object) -> None:
        used[0] = Used("v2")
        raise ParityError("of the old one, which may be closed")

    found, changes = regular(monkeypatch, answer, lambda: used[0])
    asyncio.run(found.check())
    assert changes == [] and found.trial.failures == []  # type: ignore[attr-defined]


def test_without_a_classifier_nothing_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    found, changes = regular(monkeypatch, pytest.fail, lambda: None)
    asyncio.run(found.check())
    assert changes == []


def test_it_checks_again_and_again_and_with_0_hours_never(monkeypatch: pytest.MonkeyPatch) -> None:
    async def until(count: int) -> None:
        task = asyncio.create_task(found.run())
        while len(changes) < count:
            await asyncio.sleep(0.001)
        task.cancel()

    used = Used()
    found, changes = regular(monkeypatch, lambda _: None, lambda: used, hours=1e-7)
    asyncio.run(until(3))
    found, changes = regular(monkeypatch, pytest.fail, lambda: used, hours=0)
    asyncio.run(found.run())  # ends
    assert changes == []
