"""SIGHUP: another bundle takes the place of the one in use, and no request fails meanwhile."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from .running import SECONDS, Running, serving, wait_for, wait_until

pytestmark = pytest.mark.timing

pytest.importorskip("uvicorn", reason="the extra serve is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")


def reload(own: Running, done: str, times: int = 1) -> None:
    """A SIGHUP, and the line of the log that ends it for the so-manieth time."""
    own.process.send_signal(signal.SIGHUP)
    wait_for(lambda: sum(done in line for line in own.log) >= times, own)


@pytest.mark.parametrize(("clients", "reloads"), [(16, 5), pytest.param(64, 20, marks=pytest.mark.slow)])
def test_reloads_under_load_fail_no_request(bundle: Path, clients: int, reloads: int) -> None:
    ended = threading.Event()
    statuses: list[int] = []
    broken: list[str] = []

    def ask() -> None:
        with httpx.Client(timeout=SECONDS) as client:
            while not ended.is_set():
                try:
                    statuses.append(client.post(f"{own.url}/predict", json={"text": "oil leak"}).status_code)
                except httpx.HTTPError as error:
                    broken.append(repr(error))

    with serving(bundle) as own:
        threads = [threading.Thread(target=ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for times in range(1, reloads + 1):
            reload(own, "reloaded: tiny-factory, fp32 on CPUExecutionProvider", times)
        ended.set()
        for thread in threads:
            thread.join(SECONDS)
        code, log = own.stop()
    assert (code, set(statuses), broken) == (0, {200}, [])
    assert log.endswith(f"stopped: {len(statuses)} requests accepted, {len(statuses)} answered\n")


def test_a_bundle_whose_model_hangs_is_not_used_and_holds_no_stop_up(bundle: Path) -> None:
    hanging = """
import time
from edgener_runtime.pipeline import TokenClassifier
predict_batch = TokenClassifier.predict_batch
def hang(self, texts, *rest, **options):
    while "probe" in texts:
        time.sleep(1)
    return predict_batch(self, texts, *rest, **options)
TokenClassifier.predict_batch = hang
"""
    with serving(bundle, "--overdue", 1, code=hanging) as own:
        reload(own, "not reloaded, the old bundle stays in use: its model has not answered within 1 s")
        assert httpx.post(f"{own.url}/predict", json={"text": "oil leak"}).status_code == 200
        own.process.send_signal(signal.SIGTERM)
        assert own.process.wait(30) == 0


def test_a_changed_bundle_is_used_and_a_damaged_one_is_not(copy: Path, edit: Callable[..., Path]) -> None:
    with serving(copy) as own:
        edit(name="another-name")
        reload(own, "reloaded: another-name")
        wait_for(lambda: 'bundle="another-name"' in httpx.get(f"{own.url}/metrics").text, own)
        assert httpx.get(f"{own.url}/v2/models/another-name/ready").json()["ready"] is True
        assert httpx.get(f"{own.url}/v2/models/tiny-factory/ready").status_code == 404
        (copy / "tokenizer.json").write_text("{}", encoding="utf-8")
        reload(own, "not reloaded, the old bundle stays in use: ")
        assert httpx.post(f"{own.url}/predict", json={"text": "oil leak"}).status_code == 200
        shutil.rmtree(copy)
        reload(own, "not reloaded", 2)
        assert httpx.post(f"{own.url}/predict", json={"text": "oil leak"}).status_code == 200
        wait_until(own, "SIGHUP: loads the bundle again")
        assert own.stop()[0] == 0
