"""A server that checks its golden vectors: not ready while they fail, and rolled back where the bundle is on trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgener_runtime.bundle.store.store import Store

from .running import Running, serving, wait_for, wait_until

pytest.importorskip("uvicorn", reason="the extra serve is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")
OFTEN = ("--selftest-every", 0.0001)  # hours
FAILS = 'edgener_selftest_failed{model="tiny-factory"} '


def ready(own: Running) -> bool:
    return bool(httpx.get(f"{own.url}/readyz").status_code == 200)


def test_it_is_not_ready_while_its_answers_drift(golden_bundle: Path, drift: tuple[str, Path]) -> None:
    code, switch = drift
    with serving(golden_bundle, *OFTEN, code=code) as own:
        assert FAILS + "0.0" in httpx.get(f"{own.url}/metrics").text
        switch.touch()
        wait_for(lambda: not ready(own), own)
        assert "the selftest failed: 4 of 5 golden vectors" in httpx.get(f"{own.url}/readyz").json()["error"]
        assert FAILS + "1.0" in httpx.get(f"{own.url}/metrics").text
        assert httpx.post(f"{own.url}/predict", json={"text": "oil leak"}).status_code == 200
        wait_until(own, "the selftest failed: ")
        switch.unlink()
        wait_for(lambda: ready(own), own)


def test_a_bundle_on_trial_is_rolled_back(
    bundle: Path, golden_bundle: Path, drift: tuple[str, Path], tmp_path: Path
) -> None:
    code, switch = drift
    store = Store(tmp_path / "store")
    good = Store(tmp_path / "store", trial=0).install(bundle)
    store.install(golden_bundle)
    with serving(store.active, *OFTEN, code=code) as own:
        switch.touch()
        wait_until(own, f"to {good.version}: the selftest failed: 4 of 5 golden vectors")
        wait_until(own, "reloaded: ")
        wait_for(lambda: ready(own), own)  # it has no golden vectors
    assert store.listing().active == good.version
