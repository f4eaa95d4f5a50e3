"""What is measured: the memory of a process as the system tells it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from edgener_runtime.commissioning.selftest.context import SelftestContext, SelftestRequest
from edgener_runtime.commissioning.selftest.speed import memory


@dataclass
class Loaded:
    """A double of a classifier that is loaded."""

    provider: str = "CPUExecutionProvider"

    def close(self) -> None:
        """It holds nothing."""


def test_a_system_that_does_not_tell_is_skipped(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = SelftestContext(SelftestRequest(bundle))
    bench.classifier = Loaded()  # type: ignore[assignment]
    told: dict[str, int | None] = {"resident": None, "peak_resident": None}
    for name in told:
        monkeypatch.setattr(f"edgener_runtime.commissioning.selftest.speed.{name}", lambda name=name: told[name])
    outcome = memory(bench)
    assert (outcome.status, outcome.figures) == ("skipped", {})
    told["peak_resident"] = 5_000_000
    assert memory(bench).figures == {"peak_rss_mb": 5.0}
    told["resident"] = 6_000_000  # the count of the peak may lag behind
    outcome = memory(bench)
    assert (outcome.detail, outcome.figures) == ("6 MB now, 6 MB at most", {"peak_rss_mb": 6.0, "rss_mb": 6.0})
    bench.classifier = Loaded("TensorRT")  # type: ignore[assignment]
    assert memory(bench).detail.endswith("; what the GPU takes is not counted")
