"""A server on a store's active bundle: rolled back by itself; answers name their bundle."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from edgener_runtime.bundle.store.store import Store

from .running import SECONDS, Running, serving, wait_for, wait_until

pytest.importorskip("uvicorn", reason="the extra serve is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")
HEADER = "edgener-bundle-version"
FAULTS = """
import os, time
from edgener_runtime.errors import DeviceError
from edgener_runtime.pipeline import TokenClassifier
predict_batch = TokenClassifier.predict_batch
def faulty(self, texts, *rest, **options):
    texts = list(texts)
    if self.manifest.name == "fails" and "oil leak" in texts:
        raise DeviceError("out of memory")
    while self.manifest.name == "hangs" and "oil leak" in texts:
        time.sleep(1)
    if self.manifest.name == "silent":
        raise DeviceError("no answer at all")
    return predict_batch(self, texts, *rest, **options)
TokenClassifier.predict_batch = faulty
"""


@pytest.fixture
def edition(bundle: Path, tmp_path: Path) -> Callable[[str], Path]:
    """The bundle under another name, and so of another version."""

    def made(name: str) -> Path:
        folder = Path(shutil.copytree(bundle, tmp_path / "editions" / name))
        record = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        (folder / "manifest.json").write_text(json.dumps(record | {"name": name}), encoding="utf-8")
        return folder

    return made


def ask(own: Running) -> tuple[int, str]:
    answer = httpx.post(f"{own.url}/predict", json={"text": "oil leak"}, timeout=SECONDS)
    return answer.status_code, answer.headers.get(HEADER, "")


def reload(own: Running, count: int) -> None:
    own.process.send_signal(signal.SIGHUP)
    wait_for(lambda: sum("reloaded: " in line for line in own.log) >= count, own)


@pytest.mark.timing
def test_a_first_request_that_fails_rolls_back_without_a_restart(
    tmp_path: Path, edition: Callable[[str], Path]
) -> None:
    store = Store(tmp_path / "store", trial=0)
    good = store.install(edition("good"))
    with serving(store.active, code=FAULTS) as own:
        assert ask(own) == (200, good.version)
        bad = Store(store.folder.root).install(edition("fails"))
        reload(own, 1)
        assert ask(own) == (500, bad.version)
        wait_until(own, "reloaded: good")
        wait_for(lambda: ask(own) == (200, good.version), own)
        assert "a request failed: out of memory" in str(store.listing().events[-1].reason)
        Store(store.folder.root).install(edition("silent"))
        own.process.send_signal(signal.SIGHUP)
        wait_until(own, "not reloaded, the old bundle stays in use: no answer at all")
        wait_for(lambda: store.listing().active == good.version, own)
        assert ask(own) == (200, good.version)
        assert own.stop()[0] == 0


@pytest.mark.timing
def test_the_watchdog_rolls_back_and_the_next_start_answers(tmp_path: Path, edition: Callable[[str], Path]) -> None:
    store = Store(tmp_path / "store", trial=0)
    good = store.install(edition("good"))
    Store(store.folder.root).install(edition("hangs"))
    with serving(store.active, "--overdue", 1, "--timeout", 20, code=FAULTS) as own:
        with pytest.raises(httpx.HTTPError):
            ask(own)
        assert own.wait()[0] == 7
    assert store.listing().active == good.version
    assert store.listing().events[-1].reason == "the watchdog: its model hangs"
    with serving(store.active, code=FAULTS) as own:
        assert ask(own) == (200, good.version)
