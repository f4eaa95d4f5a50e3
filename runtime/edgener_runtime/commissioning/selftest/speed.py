"""Checks of speed: latency and memory of the loaded variant."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import cycle

from edgener_runtime.base.memory import peak_resident, resident
from edgener_runtime.machine.devices import CPU

from .context import Outcome, SelftestContext, skip

_MEGA = 1e6
_LEAST_CALLS = 20


def latency(context: SelftestContext) -> Outcome:
    """Time texts one by one, after the same number for warm-up, and then all in one batch."""
    import numpy as np

    from edgener_runtime.commissioning.bench.results.statistics import percentile

    classifier, texts = context.classifier, context.texts
    for text in texts:
        classifier.predict(text)
    took = [_seconds_of(context, text) for text in until(context.request.seconds, texts)]
    start = time.perf_counter()
    classifier.predict_batch(texts)
    together = len(texts) / (time.perf_counter() - start)
    p50, p99 = (1000 * percentile(np.array(took), share) for share in (0.5, 0.99))
    return Outcome(
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms per text, over {len(took)} texts one by one",
        {"p50_ms": p50, "p99_ms": p99, "calls": float(len(took)), "texts_per_second": together},
    )


def memory(context: SelftestContext) -> Outcome:
    """Resident memory of this process now and at its peak, before the reference on the CPU is loaded.

    It does not include a GPU's own memory, nor CUDA's share of a Jetson's memory.
    """
    steady, peak = resident(), peak_resident()
    if peak is None:
        return skip("this system does not report the memory of a process")
    most = max(peak, steady or 0)  # the kernel updates its count of the peak with some delay
    figures = {"peak_rss_mb": most / _MEGA} | ({"rss_mb": steady / _MEGA} if steady is not None else {})
    now = "unknown now" if steady is None else f"{steady / _MEGA:.0f} MB now"
    besides = "" if context.classifier.provider == CPU else "; the GPU's memory is not counted"
    return Outcome(f"{now}, {most / _MEGA:.0f} MB at most{besides}", figures)


def _seconds_of(context: SelftestContext, text: str) -> float:
    start = time.perf_counter()
    context.classifier.predict(text)
    return time.perf_counter() - start


def until(seconds: float, texts: Sequence[str]) -> Iterator[str]:
    """Texts again and again for a number of seconds, at least a few times."""
    deadline = time.perf_counter() + seconds
    for done, text in enumerate(cycle(texts)):
        if done >= _LEAST_CALLS and time.perf_counter() > deadline:
            return
        yield text
