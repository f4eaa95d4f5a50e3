"""Prometheus metrics of what models monitor: drift, and the queue of texts to label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from edgener_runtime.monitoring.counts import CERTAINTIES, LENGTHS
from edgener_runtime.monitoring.drift import DriftReport
from edgener_runtime.monitoring.label_queue import QueueState

from .table import ModelTable

_MODEL = ["model"]


class MonitoringMetrics(Collector):
    """The counters of the models that monitor their texts; no metrics where none does."""

    def __init__(self, models: ModelTable) -> None:
        self.models = models

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        observers = {model.name: model.classifier.classifier.observer for model in self.models if model.classifier}
        drifts = {name: seen.drift.report() for name, seen in observers.items() if seen and seen.drift}
        queues = {name: seen.queue.state for name, seen in observers.items() if seen and seen.queue}
        if drifts:
            yield from _drift(drifts)
        if queues:
            yield from _queue(queues)

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are known once a model monitors."""
        return ()


def _drift(reports: Mapping[str, DriftReport]) -> Iterator[Metric]:
    texts = CounterMetricFamily("edgener_drift_texts", "Texts that were counted.", labels=_MODEL)
    certainty = HistogramMetricFamily("edgener_drift_certainty", "Certainty of each text.", labels=_MODEL)
    length = HistogramMetricFamily("edgener_drift_length", "Subwords of each text.", labels=_MODEL)
    labels = CounterMetricFamily("edgener_drift_subwords", "Subwords by their best label.", labels=["model", "label"])
    unknown = CounterMetricFamily("edgener_drift_unknown_subwords", "Subwords not in the vocabulary.", labels=_MODEL)
    psi = GaugeMetricFamily(
        "edgener_drift_psi", "Population stability index of the latest texts.", labels=["model", "counted"]
    )
    drifted = GaugeMetricFamily("edgener_drift", "Whether the latest texts have drifted.", labels=_MODEL)
    for name, report in reports.items():
        counts = report.counts
        texts.add_metric([name], counts.texts)
        certainty.add_metric([name], _buckets(CERTAINTIES, counts.certainty), None)
        length.add_metric([name], _buckets(LENGTHS, counts.length), sum(counts.labels.values()))
        for label, count in counts.labels.items():
            labels.add_metric([name, label], count)
        unknown.add_metric([name], counts.unknown)
        for counted, value in report.psi.items():
            psi.add_metric([name, counted], value)
        if report.drifted is not None:
            drifted.add_metric([name], report.drifted)
    yield from (texts, certainty, length, labels, unknown, psi, drifted)


def _buckets(ends: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    return [
        (str(float(end)) if end else "+Inf", total) for end, total in zip((*ends, 0), accumulate(counts), strict=True)
    ]


def _queue(states: Mapping[str, QueueState]) -> Iterator[Metric]:
    texts = GaugeMetricFamily("edgener_label_queue_texts", "Texts of the label queue.", labels=_MODEL)
    failed = GaugeMetricFamily("edgener_label_queue_failed", "Whether the queue cannot be written.", labels=_MODEL)
    too_long = CounterMetricFamily("edgener_label_queue_too_long", "Texts too long for the queue.", labels=_MODEL)
    for name, state in states.items():
        texts.add_metric([name], state.texts)
        failed.add_metric([name], state.failure is not None)
        too_long.add_metric([name], state.too_long)
    yield from (texts, failed, too_long)
