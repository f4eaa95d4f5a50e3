"""The scenarios of MLPerf inference: how queries arrive, and which figure is reported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """A scenario. `mlperf` is its name there, `percentile` the percentile of the latencies that is reported or bounded,
    `unit` the unit of its figure, `says` a description for people."""

    name: str
    mlperf: str
    percentile: int | None
    unit: str
    says: str


# https://github.com/mlcommons/inference_policies, section "Scenarios"
SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "single-stream", "SingleStream", 90, "ms",
            "one text per query, each sent when the one before is answered: the 90th percentile of the latency",
        ),
        Scenario(
            "multi-stream", "MultiStream", 99, "ms",
            "several texts per query, each sent when the one before is answered: the 99th percentile of the latency",
        ),
        Scenario("offline", "Offline", None, "texts/s", "all texts in one query: texts per second"),
        Scenario(
            "server", "Server", 99, "texts/s",
            "one text per query at random times: the highest rate whose 99th percentile is within the bound",
        ),
    )
}  # fmt: skip
