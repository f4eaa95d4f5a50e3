"""What /metrics counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgener_runtime.errors import DeviceError

from .running import Held

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("httpx", reason="starlette's test client needs httpx")
parser = pytest.importorskip("prometheus_client.parser", reason="the extra serve is not installed")

MODEL = "tiny-factory"


def samples(client: Any) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels."""
    families = parser.text_string_to_metric_families(client.get("/metrics").text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_requests_are_counted_by_endpoint_and_status_and_errors_once_more(client: Any) -> None:
    for record in ({"text": "oil leak"}, {"text": "a"}, {"text": 7}):
        client.post("/predict", json=record)
    client.get("/healthz")
    client.get("/nothing")
    found = samples(client)
    assert found["edgener_requests_total", "predict", MODEL, "200"] == 2
    assert found["edgener_requests_total", "predict", MODEL, "422"] == 1
    assert found["edgener_errors_total", "predict", MODEL, "422"] == 1
    assert found["edgener_requests_total", "healthz", "", "200"] == 1
    assert found["edgener_errors_total", "none", "", "404"] == 1
    assert ("edgener_errors_total", "predict", MODEL, "200") not in found


def test_seconds_are_a_histogram(client: Any) -> None:
    client.post("/predict", json={"text": "oil leak"})
    found = samples(client)
    assert found["edgener_request_seconds_bucket", "predict", "+Inf", MODEL] == 1
    assert 0 < found["edgener_request_seconds_sum", "predict", MODEL] < 60


def test_batches_are_counted_by_texts_and_characters(client: Any) -> None:
    client.post("/predict", json={"texts": ["ab", "c", "d"]})
    client.post("/predict", json={"text": "e"})
    found = samples(client)
    assert found["edgener_batch_texts_count", MODEL] == 2
    assert found["edgener_batch_texts_sum", MODEL] == 4
    assert found["edgener_batch_texts_bucket", "1.0", MODEL] == 1
    assert found["edgener_batch_characters_sum", MODEL] == 5


def test_batches_that_fail_are_counted(client: Any, held: Held) -> None:
    held.fault = DeviceError("broke off")
    client.post("/predict", json={"text": "a"})
    assert samples(client)["edgener_failed_batches_total", MODEL] == 1


def test_no_batch_is_forgotten_between_two_looks_however_many_there_were(client: Any) -> None:
    for _ in range(30):
        client.post("/predict", json={"text": "a"})
    assert len(client.service.models.only().classifier.batches) == 0
    assert samples(client)["edgener_batch_texts_count", MODEL] == 30


def test_the_queue_is_as_long_as_texts_wait(client: Any, held: Held) -> None:
    from .test_limits import asked

    assert samples(client)["edgener_queue_texts", MODEL] == 0
    held.gate.clear()
    answer = asked(client, "a", "b")
    assert held.entered.acquire(timeout=600)
    assert samples(client)["edgener_queue_texts", MODEL] == 2
    held.gate.set()
    answer.result(60)
    assert samples(client)["edgener_queue_texts", MODEL] == 0


def test_the_running_model_is_a_metric(client: Any) -> None:
    families = parser.text_string_to_metric_families(client.get("/metrics").text)
    info = next(sample for family in families for sample in family.samples if sample.name == "edgener_runtime_info")
    assert info.labels["bundle"] == MODEL
    assert (info.labels["variant"], info.labels["precision"]) == ("fp32", "fp32")
    assert info.labels["provider"] == "CPUExecutionProvider"


def test_two_servers_in_a_process_count_each_for_itself(client_of: Callable[..., Any]) -> None:
    first, second = client_of(), client_of()
    first.post("/predict", json={"text": "a"})
    assert ("edgener_requests_total", "predict", MODEL, "200") not in samples(second)
