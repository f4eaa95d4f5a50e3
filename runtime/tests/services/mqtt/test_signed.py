"""A bridge that requires signatures: at its start and at a reload it takes no other bundle."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ..editions import REFUSED, Editions

pytest.importorskip("paho", reason="the extra mqtt is not installed")


@pytest.fixture
def editions(bundle: Path, tmp_path: Path) -> Editions:
    return Editions(bundle, tmp_path)


def line_with(process: subprocess.Popen[str], words: str) -> str:
    assert process.stderr
    return next(line for line in process.stderr if words in line)


def test_a_reload_takes_only_what_is_signed(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], start: Callable[..., Any], editions: Editions,
    owner: Callable[[str], Any],
) -> None:  # fmt: skip
    release, stranger = owner("release"), owner("stranger")
    release.sign(editions.make("first"))
    first = editions.use("first")
    broker = mosquitto()
    asking = peer(broker)

    def version() -> str:
        asking.ask({"text": "oil leak"})
        return str(asking.record("out/entities")["bundle_version"])

    process = start(broker, "--require-signature", release.file, bundle=editions.current)
    asking.status("online")
    for name, (sign, reason) in REFUSED.items():
        sign(editions.make(name), release, stranger)
        editions.use(name)
        process.send_signal(signal.SIGHUP)
        assert reason in line_with(process, "not reloaded, the old bundle stays in use: ")
        assert version() == first
    release.sign(editions.make("second"))
    second = editions.use("second")
    process.send_signal(signal.SIGHUP)
    line_with(process, "reloaded: second")
    while (found := version()) == first:
        pass
    assert found == second
    process.send_signal(signal.SIGTERM)
    assert process.wait(600) == 0


@pytest.mark.parametrize("name", REFUSED)
def test_a_start_is_refused(
    name: str, start: Callable[..., Any], editions: Editions, owner: Callable[[str], Any]
) -> None:
    release, stranger = owner("release"), owner("stranger")
    REFUSED[name][0](editions.make(name), release, stranger)
    nowhere = SimpleNamespace(port=1, protocol="5")
    process = start(nowhere, "--require-signature", release.file, bundle=editions.folder / name)
    assert REFUSED[name][1] in line_with(process, "error: ")
    assert process.wait(600) == 5
