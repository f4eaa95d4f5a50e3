"""One text of a request that the model cannot answer, asked of a server in a process of its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.errors import DeviceError
from edgener_runtime.pipeline import Answer

from .running import Held, Running, serving

pytest.importorskip("starlette", reason="the extra serve is not installed")
httpx = pytest.importorskip("httpx", reason="the server is asked with httpx")

BAD = 63
TEXTS = [f"泵 P-10{number}: shaft seal leaks" + " again" * (number % 5) for number in range(100)]
WITH_ONE_BAD = [text if number != BAD else f"{text} (ZX-9)" for number, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def short(short_of_embeddings: Path) -> Iterator[Running]:
    with serving(short_of_embeddings, "--queue", 128) as running:
        yield running


def rows(classifier: TokenClassifier, text: str) -> list[dict[str, Any]]:
    return [asdict(entity) | {"score": pytest.approx(entity.score, abs=1e-5)} for entity in classifier.predict(text)]


def test_99_of_100_are_answered_and_one_has_its_error(short: Running, classifier: TokenClassifier) -> None:
    answer = httpx.post(f"{short.url}/predict", json={"texts": WITH_ONE_BAD}, timeout=600)
    assert answer.status_code == 200
    results = answer.json()["results"]
    error = results.pop(BAD)
    assert error.keys() == {"error", "hint"}
    assert "embedding" in error["error"] and "memory" not in error["hint"]
    assert results == [{"entities": rows(classifier, text)} for text in WITH_ONE_BAD if "ZX-9" not in text]


def test_the_protocol_has_an_object_in_place_of_its_list(short: Running, classifier: TokenClassifier) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [100], "data": WITH_ONE_BAD}
    answer = httpx.post(f"{short.url}/v2/models/tiny-factory/infer", json={"inputs": [tensor]}, timeout=600)
    assert answer.status_code == 200
    elements = [json.loads(element) for element in answer.json()["outputs"][0]["data"]]
    assert elements.pop(BAD).keys() == {"error", "hint"}
    assert elements == [rows(classifier, text) for text in WITH_ONE_BAD if "ZX-9" not in text]


def test_a_text_alone_is_an_error_that_the_client_can_fix(short: Running) -> None:
    answer = httpx.post(f"{short.url}/predict", json={"text": "oil leak at ZX-9"}, timeout=600)
    assert answer.status_code == 422
    assert answer.json().keys() == {"error", "hint"}


def test_two_such_texts_have_an_error_each(short: Running) -> None:
    answer = httpx.post(f"{short.url}/predict", json={"texts": ["ZX-9", "at ZX-9"]}, timeout=600)
    assert (answer.status_code, [set(result) for result in answer.json()["results"]]) == (200, [{"error", "hint"}] * 2)


class FailingOn(Held):
    """The classifier with a device that breaks off on texts with a certain word."""

    word = "泵"

    def predict_batch(self, texts: Any, decoding: Any, return_errors: bool) -> list[Answer]:
        found = self.classifier.predict_batch(texts, decoding, return_errors=return_errors)
        return [
            DeviceError("the run broke off") if self.word in text else answer
            for text, answer in zip(texts, found, strict=True)
        ]


@pytest.fixture
def held(classifier: TokenClassifier) -> Held:
    return FailingOn(classifier)


def test_a_run_that_fails_on_one_text_is_in_the_log(
    client_of: Callable[..., Any], classifier: TokenClassifier, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client_of().post("/predict", json={"texts": ["oil leak", "泵"]})
    assert answer.status_code == 200
    assert answer.json() == {"results": [{"entities": rows(classifier, "oil leak")}, {"error": "the run broke off"}]}
    assert "1 of 2 texts without an answer: the run broke off" in caplog.text


def test_a_device_that_fails_on_all_texts_is_an_error_of_the_server(client_of: Callable[..., Any]) -> None:
    answer = client_of().post("/predict", json={"texts": ["泵", "泵 2"]})
    assert (answer.status_code, answer.json()) == (500, {"error": "the run broke off"})
