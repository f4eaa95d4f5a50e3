"""The scenarios of MLPerf inference: how queries come, and what of them is the figure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """A way that queries come. `mlperf` is its name there, `percentile` the one of the latencies that is reported or
    bounded, `unit` that of its figure, `says` how queries come and what is reported, for people."""

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
            "one text a query, each sent when the one before is answered: the 90th percentile of the latency",
        ),
        Scenario(
            "multi-stream", "MultiStream", 99, "ms",
            "several texts a query, each sent when the one before is answered: the 99th percentile of the latency",
        ),
        Scenario("offline", "Offline", None, "texts/s", "all texts in one query: texts a second"),
        Scenario(
            "server", "Server", 99, "texts/s",
            "one text a query at random times: the highest rate whose 99th percentile keeps the bound",
        ),
    )
}  # fmt: skip
