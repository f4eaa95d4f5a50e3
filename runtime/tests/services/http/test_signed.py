"""A server that requires signatures: at its start, at a reload and in a store it takes no other bundle."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.bundle.store.store import Store

from ..editions import REFUSED, Editions
from .running import COMMAND, SECONDS, Running, serving, wait_for

pytest.importorskip("uvicorn", reason="the extra serve is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")


@pytest.fixture
def editions(bundle: Path, tmp_path: Path) -> Editions:
    return Editions(bundle, tmp_path)


def version(own: Running) -> str:
    answer = httpx.post(f"{own.url}/predict", json={"text": "oil leak"}, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["edgener-bundle-version"])


def reload(own: Running, ends: str, times: int) -> None:
    own.process.send_signal(signal.SIGHUP)
    wait_for(lambda: sum(ends in line for line in own.log) >= times, own)


def reloads(own: Running, result: str) -> list[str]:
    lines = httpx.get(f"{own.url}/metrics", timeout=SECONDS).text.splitlines()
    found = [line for line in lines if line.startswith("edgener_reloads_total") and f'result="{result}"' in line]
    return [line.rpartition(" ")[2] for line in found if not line.endswith(" 0.0")]


def test_a_reload_takes_only_what_is_signed(editions: Editions, owner: Callable[[str], Any]) -> None:
    release, stranger = owner("release"), owner("stranger")
    release.sign(editions.make("first"))
    first = editions.use("first")
    with serving(editions.current, "--require-signature", release.file) as own:
        for times, (name, (sign, reason)) in enumerate(REFUSED.items(), 1):
            sign(editions.make(name), release, stranger)
            assert editions.use(name) != first
            reload(own, "not reloaded, the old bundle stays in use: ", times)
            [line] = [line for line in own.log if "not reloaded" in line][times - 1 :]
            assert reason in line
            assert version(own) == first
        assert (reloads(own, "failed"), reloads(own, "loaded")) == ([f"{len(REFUSED)}.0"], [])
        release.sign(editions.make("second"))
        second = editions.use("second")
        reload(own, "reloaded: second", 1)
        wait_for(lambda: version(own) == second, own)
        wait_for(lambda: (reloads(own, "failed"), reloads(own, "loaded")) == ([f"{len(REFUSED)}.0"], ["1.0"]), own)
        assert own.stop()[0] == 0


@pytest.mark.parametrize("name", REFUSED)
def test_a_start_is_refused(name: str, editions: Editions, owner: Callable[[str], Any]) -> None:
    release, stranger = owner("release"), owner("stranger")
    REFUSED[name][0](editions.make(name), release, stranger)
    words = ("serve", editions.folder / name, "--port", 0, "--require-signature", release.file)
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, REFUSED[name][1] in done.stderr) == (5, True), done.stderr
    assert "Traceback" not in done.stderr and "listening" not in done.stderr


def test_a_store_returns_to_the_last_bundle_that_is_signed(
    editions: Editions, owner: Callable[[str], Any], tmp_path: Path
) -> None:
    release = owner("release")
    release.sign(editions.make("first"))
    store = Store(tmp_path / "store", trial=0)
    first = store.install(editions.folder / "first").version
    store.install(editions.make("unsigned"))
    with serving(store.active, "--require-signature", release.file) as own:
        assert version(own) == first
        unsigned = Store(tmp_path / "store", trial=0).install(editions.make("later")).version
        reload(own, "reloaded: first", 1)
        assert sum("it cannot be loaded: " in line and REFUSED["unsigned"][1] in line for line in own.log) == 2
        assert version(own) == first != unsigned
        assert own.stop()[0] == 0
    assert store.listing().active == first
