"""What a server shows of the texts it answered: drift and the label queue in /metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.cli.monitoring import Monitoring

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("httpx", reason="starlette's test client needs httpx")
parser = pytest.importorskip("prometheus_client.parser", reason="the extra serve is not installed")

MODEL = "tiny-factory"


def samples(page: str) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels."""
    families = parser.text_string_to_metric_families(page)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


@pytest.fixture
def monitored(bundle: Path, tmp_path: Path) -> Iterator[Any]:
    """An application that monitors, with its queue in the test's folder."""
    from starlette.testclient import TestClient

    from edgener_runtime.services.http.app import create_app
    from edgener_runtime.services.http.limits import Limits
    from edgener_runtime.services.http.models.served import ServedModel
    from edgener_runtime.services.http.models.source import ModelSource
    from edgener_runtime.services.http.service import Service

    loading = Monitoring(drift=True, queue=tmp_path / "queue.jsonl", size=5).loading(
        lambda folder: TokenClassifier.load(folder, "cpu", "fp32")
    )
    source = ModelSource(lambda: loading(bundle))
    service = Service([ServedModel(source, Limits())], Limits())
    with TestClient(create_app(service, None), raise_server_exceptions=False) as client:
        yield client


def test_texts_of_clients_are_counted_and_queued_and_probes_are_not(monitored: Any, tmp_path: Path) -> None:
    before = samples(monitored.get("/metrics").text)
    assert before["edgener_drift_texts_total", MODEL] == 0
    monitored.get("/readyz?deep=1")
    texts = [f"pump {number} leaks" for number in range(8)]
    monitored.post("/predict", json={"texts": texts})
    found = samples(monitored.get("/metrics").text)
    assert found["edgener_drift_texts_total", MODEL] == 8
    assert found["edgener_drift_certainty_bucket", "+Inf", MODEL] == 8
    assert found["edgener_drift_length_count", MODEL] == 8
    subwords = {key[1]: value for key, value in found.items() if key[0] == "edgener_drift_subwords_total"}
    assert "O" in subwords and sum(subwords.values()) == found["edgener_drift_length_sum", MODEL]
    assert not any(key[0] == "edgener_drift_psi" for key in found)  # the bundle has no reference
    assert found["edgener_label_queue_texts", MODEL] == 5
    assert found["edgener_label_queue_failed", MODEL] == 0
    assert not any(text in monitored.get("/metrics").text for text in texts)
    monitored.app.state.service.models.only().classifier.classifier.observer.queue.flush()
    queued = [json.loads(line)["text"] for line in (tmp_path / "queue.jsonl").read_text().splitlines()]
    assert len(queued) == 5 and set(queued) <= set(texts)


def test_a_queue_on_a_path_that_cannot_be_written_stops_no_answer(bundle: Path, tmp_path: Path) -> None:
    from .running import serving, wait_for

    (tmp_path / "file").touch()
    with serving(bundle, "--drift", "--label-queue", tmp_path / "file" / "queue.jsonl") as server:
        import httpx

        def answered() -> bool:
            assert httpx.post(f"{server.url}/predict", json={"text": "oil leak"}).status_code == 200
            return samples(httpx.get(f"{server.url}/metrics").text)["edgener_label_queue_failed", MODEL] == 1

        wait_for(answered, server)
        code, log = server.stop()
    assert code == 0 and log.count("the label queue is not written") == 1


def test_named_models_have_a_queue_each(tmp_path: Path) -> None:
    monitoring = Monitoring(queue=tmp_path / "queue.jsonl")
    load = lambda folder: TokenClassifier.load(folder, "cpu", "fp32")  # noqa: E731
    bundle = Path(__file__).parents[2] / "bundle"
    for name in ("people", "parts"):
        with monitoring.loading(load, name)(bundle) as classifier:
            classifier.predict(f"oil leak of {name}")
    assert {path.name for path in tmp_path.glob("queue.*")} == {"queue.people.jsonl", "queue.parts.jsonl"}
    assert Monitoring().loading(load) is load
