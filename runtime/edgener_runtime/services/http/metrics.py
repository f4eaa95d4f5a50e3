"""Prometheus metrics of one server, in their own registry."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgener_runtime import __version__

from .models.monitoring_metrics import MonitoringMetrics

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

    from .models.served import ServedModel
    from .models.table import ModelTable

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_LABELS = {"inference": "infer"}  # the labels that dashboards know
_CHARACTERS = (64, 256, 1024, 4096, 16384)
_MODEL = ["model"]
_RELOADS = {True: "loaded", False: "failed"}


class Metrics:
    """Requests by endpoint, model and status, their seconds; of each model its queue, its batches and what it is.

    The label `model` is empty for requests without one, which is the same as no label to Prometheus.
    """

    def __init__(self, models: ModelTable) -> None:
        self.models = models
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "edgener_request_seconds", "Seconds from a request to its answer.", ["endpoint", "model"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        by_status = ["endpoint", "model", "status"]
        self.requests = Counter(
            "edgener_requests", "Answers by endpoint, model and status.", by_status, registry=self.registry
        )
        self.errors = Counter(
            "edgener_errors", "Errors by endpoint, model and status.", by_status, registry=self.registry
        )
        self.batch_texts = Histogram(
            "edgener_batch_texts", "Texts of a batch.", _MODEL, buckets=_TEXTS, registry=self.registry
        )
        self.batch_characters = Histogram(
            "edgener_batch_characters", "Characters of a batch.", _MODEL, buckets=_CHARACTERS, registry=self.registry
        )
        self.failed = Counter("edgener_failed_batches", "Batches that failed.", _MODEL, registry=self.registry)
        self.reloads = Counter(
            "edgener_reloads", "Bundles that were to replace the one in use, by model and result: loaded, failed.",
            ["model", "result"], registry=self.registry,
        )  # fmt: skip
        self._waiting = Gauge(
            "edgener_queue_texts", "Texts accepted and not yet answered.", _MODEL, registry=self.registry
        )
        self._overdue = Gauge(
            "edgener_overdue", "Whether a batch of the model is overdue.", _MODEL, registry=self.registry
        )
        self._selftest = Gauge(
            "edgener_selftest_failed", "Whether the last selftest of the model failed.", _MODEL, registry=self.registry
        )
        self._info = Info("edgener_runtime", "The running model and its provider.", _MODEL, registry=self.registry)
        self.registry.register(MonitoringMetrics(models))
        for model in models:  # so that they begin at 0
            self._batch_metrics(model)
            for result in _RELOADS.values():
                self.reloads.labels(model.name, result)

    def take_batches(self) -> None:
        """Count the batches since the last call."""
        for model in self.models:
            texts, characters, failed = self._batch_metrics(model)
            for batch in model.take_batches():
                texts.observe(batch.texts)
                characters.observe(batch.characters)
                failed.inc(batch.failed)

    def count(self, endpoint: str, model: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self.seconds.labels(endpoint, model).observe(seconds)
        self.requests.labels(endpoint, model, status).inc()
        if status >= HTTPStatus.BAD_REQUEST:
            self.errors.labels(endpoint, model, status).inc()

    def count_reload(self, model: str, is_loaded: bool) -> None:
        """Count a bundle that was to replace the one in use, which stays where it is not loaded."""
        self.reloads.labels(model, _RELOADS[is_loaded]).inc()

    def page(self) -> bytes:
        """All metrics in the format of Prometheus."""
        self.take_batches()
        # a model may have another name, or be unloaded
        for state in (self._waiting, self._overdue, self._selftest, self._info):
            state.clear()
        for model in self.models:
            self._waiting.labels(model.name).set(model.pending)
            self._overdue.labels(model.name).set(model.overdue)
            self._selftest.labels(model.name).set(model.selftest_fault is not None)
            if model.classifier:
                self._info.labels(model.name).info(_facts(model.classifier.classifier))
        return generate_latest(self.registry)

    def _batch_metrics(self, model: ServedModel) -> tuple[Histogram, Histogram, Counter]:
        name = model.name
        return self.batch_texts.labels(name), self.batch_characters.labels(name), self.failed.labels(name)


def _facts(classifier: TokenClassifier) -> dict[str, str]:
    explained = classifier.explain()
    return {
        "version": __version__,
        "bundle": explained.bundle,
        "bundle_version": classifier.manifest.version,
        "variant": explained.variant,
        "precision": explained.precision,
        "provider": explained.provider,
        "isa": explained.isa,
        "onnxruntime": explained.onnxruntime,
    }


class RequestMetrics:
    """ASGI middleware that counts requests and their seconds by endpoint, and the model that `select` has noted."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            endpoint = getattr(scope.get("endpoint"), "__name__", "none")
            endpoint = _LABELS.get(endpoint, endpoint)
            model = scope.get("state", {}).get("model", "")
            self.metrics.count(endpoint, model, status, time.perf_counter() - start)
