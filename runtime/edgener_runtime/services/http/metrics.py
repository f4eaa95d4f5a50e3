"""Prometheus metrics of one server, in their own registry."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgener_runtime import __version__

if TYPE_CHECKING:
    from edgener_runtime.aio import AsyncTokenClassifier, BatchRecord

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_LABELS = {"inference": "infer"}  # the labels that dashboards know
_CHARACTERS = (64, 256, 1024, 4096, 16384)


class Metrics:
    """Requests by endpoint and status, their seconds, the length of the queue, batches, and the running model."""

    def __init__(self, pending: Callable[[], int]) -> None:
        self._batches: deque[BatchRecord] = deque()
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "edgener_request_seconds", "Seconds from a request to its answer.", ["endpoint"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.requests = Counter(
            "edgener_requests", "Answers by endpoint and status.", ["endpoint", "status"], registry=self.registry
        )
        self.errors = Counter(
            "edgener_errors", "Errors by endpoint and status.", ["endpoint", "status"], registry=self.registry
        )
        self.batch_texts = Histogram("edgener_batch_texts", "Texts of a batch.", buckets=_TEXTS, registry=self.registry)
        self.batch_characters = Histogram(
            "edgener_batch_characters", "Characters of a batch.", buckets=_CHARACTERS, registry=self.registry
        )
        self.failed = Counter("edgener_failed_batches", "Batches that failed.", registry=self.registry)
        waiting = Gauge("edgener_queue_texts", "Texts accepted and not yet answered.", registry=self.registry)
        waiting.set_function(pending)
        self.overdue = Gauge("edgener_overdue", "Whether a batch of the model is overdue.", registry=self.registry)
        self._info = Info("edgener_runtime", "The running model and its provider.", registry=self.registry)

    def use(self, classifier: AsyncTokenClassifier) -> None:
        """Count the batches of a classifier from now on, and show its model."""
        self.take_batches()
        self._batches = classifier.batches
        explained = classifier.classifier.explain()
        self._info.info(
            {
                "version": __version__,
                "bundle": explained.bundle,
                "variant": explained.variant,
                "precision": explained.precision,
                "provider": explained.provider,
                "isa": explained.isa,
                "onnxruntime": explained.onnxruntime,
            }
        )

    def take_batches(self) -> None:
        """Count the batches since the last call."""
        while self._batches:
            batch = self._batches.popleft()
            self.batch_texts.observe(batch.texts)
            self.batch_characters.observe(batch.characters)
            self.failed.inc(batch.failed)

    def count(self, endpoint: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self.seconds.labels(endpoint).observe(seconds)
        self.requests.labels(endpoint, status).inc()
        if status >= HTTPStatus.BAD_REQUEST:
            self.errors.labels(endpoint, status).inc()

    def page(self) -> bytes:
        """All metrics in the format of Prometheus."""
        self.take_batches()
        return generate_latest(self.registry)


class RequestMetrics:
    """ASGI middleware that counts requests and their seconds by endpoint."""

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
            self.metrics.count(endpoint, status, time.perf_counter() - start)
