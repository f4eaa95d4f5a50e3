"""MLPerf's load generator on a bundle, as a user of both would write it; prints what its summaries say, as JSON.

    python benchmarks/loadgen_by_hand.py BUNDLE TEXTS --variant VARIANT --seconds 1.5 --seed 0

TEXTS holds one text a line. Nothing of edgener's own bench takes part.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import mlperf_loadgen

from edgener_runtime import TokenClassifier

FIGURES = {
    "single-stream": (re.compile(r"90\.0th percentile latency \(ns\) *: *(\d+)"), 1e-6),
    "offline": (re.compile(r"Samples per second *: *([\d.]+)"), 1.0),
}


def single_stream(classifier: TokenClassifier, texts: list[str], settings: Any, folder: str) -> None:
    """One text after the other."""
    settings.scenario = mlperf_loadgen.TestScenario.SingleStream
    settings.single_stream_expected_latency_ns = 500_000
    settings.min_query_count = 64

    def issue(samples: Any) -> None:
        for sample in samples:
            classifier.predict(texts[sample.index])
            mlperf_loadgen.QuerySamplesComplete([mlperf_loadgen.QuerySampleResponse(sample.id, 0, 0)])

    test(issue, len(texts), settings, folder)


def offline(classifier: TokenClassifier, texts: list[str], settings: Any, folder: str) -> None:
    """All texts at once."""
    settings.scenario = mlperf_loadgen.TestScenario.Offline
    settings.offline_expected_qps = speed(classifier, texts)

    def issue(samples: Any) -> None:
        classifier.predict_batch([texts[sample.index] for sample in samples])
        mlperf_loadgen.QuerySamplesComplete([mlperf_loadgen.QuerySampleResponse(sample.id, 0, 0) for sample in samples])

    test(issue, len(texts), settings, folder)


SCENARIOS = {"single-stream": single_stream, "offline": offline}


def speed(classifier: TokenClassifier, texts: list[str]) -> float:
    """The approximate texts per second of a batch."""
    together = (texts * (256 // len(texts) + 1))[:256]
    start = time.perf_counter()
    classifier.predict_batch(together)
    return len(together) / (time.perf_counter() - start)


def test(issue: Any, count: int, settings: Any, folder: str) -> None:
    """Run a test whose logs go to a folder."""
    logs = mlperf_loadgen.LogSettings()
    logs.log_output.outdir = folder
    logs.enable_trace = False
    system = mlperf_loadgen.ConstructSUT(issue, lambda: None)
    samples = mlperf_loadgen.ConstructQSL(count, count, lambda _: None, lambda _: None)
    mlperf_loadgen.StartTestWithLogSettings(system, samples, settings, logs)
    mlperf_loadgen.DestroySUT(system)
    mlperf_loadgen.DestroyQSL(samples)


def settings_of(seconds: float, seed: int) -> Any:
    """What both scenarios share."""
    settings = mlperf_loadgen.TestSettings()
    settings.mode = mlperf_loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = round(1000 * seconds)
    settings.qsl_rng_seed = settings.sample_index_rng_seed = settings.schedule_rng_seed = seed
    return settings


def figure(scenario: str, folder: str) -> float:
    """The figure in a summary: milliseconds, or texts per second."""
    found, factor = FIGURES[scenario]
    summary = Path(folder, "mlperf_log_summary.txt").read_text(encoding="utf-8")
    if not (line := found.search(summary)):
        raise click.ClickException(f"the load generator's summary has no figure:\n{summary}")
    return factor * float(line[1])


def run_by_hand(classifier: TokenClassifier, texts: list[str], scenario: str, seconds: float, seed: int) -> float:
    """The figure of a scenario, after its own calls have warmed up."""
    WARM_UPS[scenario](classifier, texts)
    with tempfile.TemporaryDirectory() as folder:
        SCENARIOS[scenario](classifier, texts, settings_of(seconds, seed), folder)
        return figure(scenario, folder)


WARM_UPS: dict[str, Callable[[TokenClassifier, list[str]], object]] = {
    "single-stream": lambda classifier, texts: [classifier.predict(text) for text in texts],
    "offline": lambda classifier, texts: classifier.predict_batch(texts),
}


@click.command()
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.argument("texts", type=click.Path(exists=True, path_type=Path))
@click.option("--variant", default="auto", show_default=True)
@click.option("--seconds", default=1.5, show_default=True, help="Of each scenario.")
@click.option("--seed", default=0, show_default=True)
def main(bundle: Path, texts: Path, variant: str, seconds: float, seed: int) -> None:
    """Run both scenarios on BUNDLE's VARIANT, and print their figures as JSON."""
    lines = texts.read_text(encoding="utf-8").splitlines()
    with TokenClassifier.load(bundle, "cpu", variant) as classifier:
        click.echo(json.dumps({name: run_by_hand(classifier, lines, name, seconds, seed) for name in SCENARIOS}))


if __name__ == "__main__":
    main()
