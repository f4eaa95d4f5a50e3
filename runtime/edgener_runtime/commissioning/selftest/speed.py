"""Checks that measure: latency and memory of the loaded variant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import cycle

from edgener_runtime.base.memory import peak_resident, resident
from edgener_runtime.machine.devices import CPU

from .context import Bench, Outcome, skip

_MEGA = 1e6
_LEAST_CALLS = 20


def latency(bench: Bench) -> Outcome:
    """Time texts one by one, after as many that warm up, and then all together."""
    import numpy as np

    from edgener_runtime.commissioning.bench.results.statistics import percentile

    classifier, texts = bench.classifier, bench.texts
    for text in texts:
        classifier.predict(text)
    took = [_seconds_of(bench, text) for text in until(bench.request.seconds, texts)]
    begun = time.perf_counter()
    classifier.predict_batch(texts)
    together = len(texts) / (time.perf_counter() - begun)
    p50, p99 = (1000 * percentile(np.array(took), share) for share in (0.5, 0.99))
    return Outcome(
        f"{p50:.2f} ms a text, {p99:.2f} ms for 99 of 100, over {len(took)} texts one by one",
        {"p50_ms": p50, "p99_ms": p99, "calls": float(len(took)), "texts_per_second": together},
    )


def memory(bench: Bench) -> Outcome:
    """Resident memory of this process now and at its highest, before the reference on the CPU is loaded.

    A GPU's own memory is not part of it, nor what CUDA takes of a Jetson's.
    """
    steady, peak = resident(), peak_resident()
    if peak is None:
        return skip("this system does not tell what a process holds")
    most = max(peak, steady or 0)  # the kernel adds up its count of the peak with some delay
    figures = {"peak_rss_mb": most / _MEGA} | ({"rss_mb": steady / _MEGA} if steady is not None else {})
    now = "unknown now" if steady is None else f"{steady / _MEGA:.0f} MB now"
    besides = "" if bench.classifier.provider == CPU else "; what the GPU takes is not counted"
    return Outcome(f"{now}, {most / _MEGA:.0f} MB at most{besides}", figures)


def _seconds_of(bench: Bench, text: str) -> float:
    begun = time.perf_counter()
    bench.classifier.predict(text)
    return time.perf_counter() - begun


def until(seconds: float, texts: Sequence[str]) -> Iterator[str]:
    """Texts over and over, at least a few times, for so many seconds."""
    deadline = time.perf_counter() + seconds
    for done, text in enumerate(cycle(texts)):
        if done >= _LEAST_CALLS and time.perf_counter() > deadline:
            return
        yield text
