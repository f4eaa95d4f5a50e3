"""The check of memory, as the system reports it."""

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


def test_a_system_that_does_not_report_is_skipped(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = SelftestContext(SelftestRequest(bundle))
    context.classifier = Loaded()  # type: ignore[assignment]
    sizes: dict[str, int | None] = {"resident": None, "peak_resident": None}
    for name in sizes:
        monkeypatch.setattr(f"edgener_runtime.commissioning.selftest.speed.{name}", lambda name=name: sizes[name])
    outcome = memory(context)
    assert (outcome.status, outcome.figures) == ("skipped", {})
    sizes["peak_resident"] = 5_000_000
    assert memory(context).figures == {"peak_rss_mb": 5.0}
    sizes["resident"] = 6_000_000  # the count of the peak may lag behind
    outcome = memory(context)
    assert (outcome.detail, outcome.figures) == ("6 MB now, 6 MB at most", {"peak_rss_mb": 6.0, "rss_mb": 6.0})
    context.classifier = Loaded("TensorRT")  # type: ignore[assignment]
    assert memory(context).detail.endswith("; the GPU's memory is not counted")
