"""POST /predict: what it answers, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest

from edgener_runtime import Decoding, TokenClassifier
from edgener_runtime.errors import DeviceError

from .running import Held

pytestmark = pytest.mark.compat

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("httpx", reason="starlette's test client needs httpx")

TEXT = "Feed pump P-101: oil leak 🔧, 泵"
JSON = {"Content-Type": "application/json"}


def rows(classifier: TokenClassifier, text: str, decoding: Decoding | None = None) -> list[dict[str, Any]]:
    return [
        asdict(entity) | {"score": pytest.approx(entity.score, abs=1e-5)}
        for entity in classifier.predict(text, decoding or Decoding())
    ]


# --- answers


def test_a_message_does_not_repeat_a_whole_request(client: Any) -> None:
    answer = client.post("/predict", json={"text": "a", "x" * 500_000: 1})
    assert answer.status_code == 422
    assert len(answer.content) < 1200
    assert answer.json()["error"].endswith("xxx...")


def test_a_text_gets_what_the_classifier_says(client: Any, classifier: TokenClassifier) -> None:
    answer = client.post("/predict", json={"text": TEXT})
    assert answer.status_code == 200
    assert answer.json() == {"entities": rows(classifier, TEXT)}
    assert len(answer.json()["entities"]) > 3


def test_texts_get_their_results_in_order(client: Any, classifier: TokenClassifier) -> None:
    texts = [TEXT, "", "oil leak"]
    answer = client.post("/predict", json={"texts": texts})
    assert answer.json() == {"results": [{"entities": rows(classifier, text)} for text in texts]}


def test_no_texts_get_no_results(client: Any) -> None:
    assert client.post("/predict", json={"texts": []}).json() == {"results": []}


@pytest.mark.parametrize(
    "options",
    [
        {"aggregation": "none"},
        {"aggregation": "max", "strict": True},
        {"thresholds": {"EQUIPMENT": 0.999, "ACTION": 1}},
        {"offsets": "utf16"},
        {"offsets": "utf8"},
    ],
)
def test_options_reach_the_decoding(options: dict[str, Any], client: Any, classifier: TokenClassifier) -> None:
    answer = client.post("/predict", json={"text": TEXT, **options})
    assert answer.json()["entities"] == rows(classifier, TEXT, Decoding(**options))
    assert answer.json()["entities"] != rows(classifier, TEXT)


def test_a_lone_surrogate_comes_back_as_it_was_sent(client: Any) -> None:
    body = json.dumps({"text": "pump P-1\ud80001", "aggregation": "max"})
    answer = client.post("/predict", content=body, headers=JSON)
    assert "P-1\ud80001" in answer.json()["entities"][-1]["text"]


def test_texts_of_one_request_run_together(client: Any, held: Held) -> None:
    client.post("/predict", json={"texts": ["a", "b", "c"]})
    assert held.batches == [["a", "b", "c"]]


# --- refusals


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON: Expecting value at line 1 column 1"),
        (b'{"text": ', "the body is not JSON: Expecting value at line 1 column 10"),
        (b'{"text": "\xff"}', "the body is not UTF-8: byte 0xff at 10"),
        ('{"text": "a"}'.encode("utf-16"), "the body is not UTF-8: byte 0xff at 0"),
        (b'["a"]', "the body is an array, expected a JSON object"),
        (
            b'{"text": "a", "thresholds": {"ACTION": NaN}}',
            "the body is JSON that cannot be read: NaN is not a JSON number",
        ),
        (b'{"text": "a", "text": "b"}', "the body is JSON that cannot be read: an object has a name twice"),
        (b'{"text": ' + b"[" * 100_000, "the body is JSON that cannot be read"),
        (b'{"text": ' + b"9" * 100_000 + b"}", "the body is JSON that cannot be read"),
    ],
)
def test_a_body_that_is_not_a_json_object_names_the_position(body: bytes, message: str, client: Any) -> None:
    answer = client.post("/predict", content=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(message)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, 'expected either "text" or "texts"'),
        ({"text": "a", "texts": ["a"]}, 'expected either "text" or "texts"'),
        ({"text": 7}, "text is a number, expected a string"),
        ({"text": None}, "text is null, expected a string"),
        ({"texts": "a"}, "texts is a string, expected an array"),
        ({"texts": ["a", ["b"]]}, "texts[1] is an array, expected a string"),
        ({"text": "a", "agregation": "max"}, "the body has the unknown field 'agregation'"),
        ({"text": "a", "aggregation": "most"}, "there is no aggregation 'most'"),
        ({"text": "a", "aggregation": True}, "aggregation is a boolean, expected a string"),
        ({"text": "a", "strict": 1}, "strict is a number, expected a boolean"),
        ({"text": "a", "offsets": "bytes"}, "there is no offsets 'bytes'"),
        ({"text": "a", "thresholds": [0.5]}, "thresholds is an array, expected an object"),
        ({"text": "a", "thresholds": {"ACTION": True}}, "thresholds.ACTION is a boolean, expected a number"),
        ({"text": "a", "thresholds": {"ACTION": 1.5}}, "the threshold of ACTION is 1.5, expected a score from 0 to 1"),
        ({"text": "a", "thresholds": {"PERSON": 0.5}}, "there is no label 'PERSON' to give a threshold"),
    ],
)
def test_a_field_that_is_wrong_is_named(record: dict[str, Any], message: str, client: Any) -> None:
    answer = client.post("/predict", json=record)
    assert answer.status_code == 422
    assert answer.json()["error"] == message


@pytest.mark.parametrize("path", ["/predict", "/v2/models/{model}/infer"])
@pytest.mark.parametrize("field", ["text", "texts", "thresholds", "inputs", "x"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["arrays", "objects"])
def test_a_body_nested_about_as_deep_as_python_reads_is_refused(
    path: str, field: str, opening: str, closing: str, client: Any
) -> None:
    url = path.format(model=client.service.models.only().name)
    for levels in (*range(850, 1000, 5), 20_000):
        body = f'{{"{field}": {opening * levels}1{closing * levels}}}'
        answer = client.post(url, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), (levels, answer.text[:200])


def test_only_json_is_taken(client: Any) -> None:
    answer = client.post("/predict", content=b'{"text": "a"}', headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415  # a form of another site could send it without asking


def test_a_compressed_body_is_not_unpacked(client: Any) -> None:
    answer = client.post("/predict", content=b"x", headers={**JSON, "Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_a_text_may_be_as_long_as_the_limit_and_no_longer(client_of: Callable[..., Any]) -> None:
    client = client_of(text=3)
    assert client.post("/predict", json={"text": "泵泵泵"}).status_code == 200
    answer = client.post("/predict", json={"texts": ["a", "abcd"]})
    assert answer.status_code == 413
    assert answer.json()["error"] == "texts[1] has 4 characters, at most 3 are accepted"


def test_more_texts_than_may_ever_wait_are_refused(client_of: Callable[..., Any]) -> None:
    answer = client_of(queue=2).post("/predict", json={"texts": ["a", "b", "c"]})
    assert answer.status_code == 413
    assert answer.json()["error"] == "the request has 3 texts, at most 2 are accepted"


def test_a_body_may_be_as_long_as_the_limit_and_no_longer(client_of: Callable[..., Any]) -> None:
    body = b'{"text": "abc"}'
    assert client_of(body=len(body)).post("/predict", content=body, headers=JSON).status_code == 200
    answer = client_of(body=len(body) - 1).post("/predict", content=body, headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["error"] == "the body is longer than 14 bytes"


def test_a_body_without_a_length_is_read_no_further_than_the_limit(client_of: Callable[..., Any]) -> None:
    sent = []

    def parts() -> Iterator[bytes]:
        for i in range(1000):
            sent.append(i)
            yield b" " * 1000

    answer = client_of(body=5000).post("/predict", content=parts(), headers=JSON)
    assert answer.status_code == 413


def test_a_body_that_says_it_is_too_long_is_not_read_at_all(client: Any) -> None:
    answer = client.post("/predict", content=b"{", headers={**JSON, "Content-Length": str(1 << 40)})
    assert answer.status_code == 413


def test_an_unknown_path_and_method_are_errors_in_json(client: Any) -> None:
    assert client.get("/nothing").status_code == 404
    assert client.get("/nothing").json()["error"] == "not found"
    answer = client.get("/predict")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


# --- faults


def test_a_device_that_breaks_off_is_an_error_of_the_server_and_the_next_text_is_answered(
    client: Any, held: Held, caplog: pytest.LogCaptureFixture
) -> None:
    held.fault = DeviceError("onnxruntime broke off", "Free some memory.")
    answer = client.post("/predict", json={"text": "a"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "onnxruntime broke off", "hint": "Free some memory."}
    assert "/predict: onnxruntime broke off" in caplog.text
    held.fault = None
    assert client.post("/predict", json={"text": "a"}).status_code == 200


def test_an_internal_error_is_hidden_from_the_client(client: Any, held: Held) -> None:
    held.fault = RuntimeError("secret")
    answer = client.post("/predict", json={"text": "a"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error", "hint": "The server's log has the details."}
