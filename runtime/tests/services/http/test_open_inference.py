"""The Open Inference Protocol, asked by Triton's own client and by hand."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from edgener_runtime import Decoding, TokenClassifier

from .running import Running

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("httpx", reason="starlette's test client needs httpx")

MODEL = "tiny-factory"
URL = f"/v2/models/{MODEL}/infer"
TEXTS = ["Feed pump P-101: oil leak, 泵", "", "Conveyor 7 stopped 🔧"]
INPUT = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["oil leak"]}


def rows(classifier: TokenClassifier, text: str, **options: Any) -> list[dict[str, Any]]:
    found = classifier.predict(text, Decoding(**options))
    return [asdict(entity) | {"score": pytest.approx(entity.score, abs=1e-5)} for entity in found]


# --- Triton's client


@pytest.fixture(scope="module")
def triton() -> Any:
    return pytest.importorskip("tritonclient.http", reason="tritonclient is not installed")


@pytest.fixture
def remote(triton: Any, server: Running) -> Any:
    """Triton's client of the server process."""
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        yield client


@pytest.fixture
def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def tensor(triton: Any, texts: list[str], shape: list[int], binary: bool) -> Any:
    made = triton.InferInput("text", shape, "BYTES")
    elements = np.array([text.encode() for text in texts], dtype=np.object_).reshape(shape)
    made.set_data_from_numpy(elements, binary_data=binary)
    return made


def test_tritons_client_sees_a_server_that_is_live_and_ready_and_its_model(remote: Any, bearer: dict[str, str]) -> None:
    assert remote.is_server_live()
    assert remote.is_server_ready()
    assert remote.is_model_ready(MODEL, headers=bearer)
    assert remote.is_model_ready(MODEL, "1", headers=bearer)
    assert not remote.is_model_ready("other", headers=bearer)
    assert not remote.is_model_ready(MODEL, "2", headers=bearer)
    assert remote.get_server_metadata(headers=bearer)["extensions"] == ["binary_tensor_data", "model_repository"]
    known = remote.get_model_metadata(MODEL, headers=bearer)
    assert (known["name"], known["versions"]) == (MODEL, ["1"])
    assert known["platform"].startswith("onnxruntime ")
    assert known["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert known["outputs"] == [{"name": "entities", "datatype": "BYTES", "shape": [-1]}]


@pytest.mark.parametrize("binary_output", [False, True])
@pytest.mark.parametrize("binary_input", [False, True])
@pytest.mark.parametrize("shape", [[3], [3, 1]])
def test_tritons_client_gets_what_the_classifier_says(
    shape: list[int], binary_input: bool, binary_output: bool,
    remote: Any, triton: Any, bearer: dict[str, str], classifier: TokenClassifier,
) -> None:  # fmt: skip
    output = triton.InferRequestedOutput("entities", binary_data=binary_output)
    asked = [tensor(triton, TEXTS, shape, binary_input)]
    answer = remote.infer(MODEL, asked, outputs=[output], request_id="7", headers=bearer)
    assert answer.get_response()["id"] == "7"
    assert answer.get_response()["model_name"] == MODEL
    elements = answer.as_numpy("entities")
    assert elements.shape == tuple(shape)
    assert [json.loads(element) for element in elements.ravel()] == [rows(classifier, text) for text in TEXTS]


def test_tritons_client_gets_binary_data_where_it_names_no_output(
    remote: Any, triton: Any, bearer: dict[str, str], classifier: TokenClassifier
) -> None:
    answer = remote.infer(MODEL, [tensor(triton, TEXTS[:1], [1], True)], model_version="1", headers=bearer)
    assert answer.get_response()["outputs"][0]["parameters"]["binary_data_size"] > 0
    assert json.loads(answer.as_numpy("entities")[0]) == rows(classifier, TEXTS[0])


def test_tritons_client_may_set_decoding_options(
    remote: Any, triton: Any, bearer: dict[str, str], classifier: TokenClassifier
) -> None:
    parameters = {"aggregation": "max", "strict": True, "offsets": "utf16", "threshold.EQUIPMENT": 0.9}
    answer = remote.infer(MODEL, [tensor(triton, TEXTS[2:], [1], True)], parameters=parameters, headers=bearer)
    options = {"aggregation": "max", "strict": True, "offsets": "utf16", "thresholds": {"EQUIPMENT": 0.9}}
    assert json.loads(answer.as_numpy("entities")[0]) == rows(classifier, TEXTS[2], **options)


def test_tritons_client_gets_the_error(remote: Any, triton: Any, bearer: dict[str, str]) -> None:
    asked = [tensor(triton, TEXTS, [3], True)]
    with pytest.raises(triton.InferenceServerException, match="there is no model 'other'"):
        remote.infer("other", asked, headers=bearer)
    with pytest.raises(triton.InferenceServerException, match="a bearer token is required"):
        remote.infer(MODEL, asked)


# --- by hand


def infer(client: Any, **fields: Any) -> Any:
    return client.post(URL, json={"inputs": [INPUT], **fields})


def test_an_answer_is_json_unless_asked_for_otherwise(client: Any, classifier: TokenClassifier) -> None:
    answer = infer(client).json()
    assert (answer["model_name"], answer["model_version"]) == (MODEL, "1")
    [output] = answer["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("entities", "BYTES", [1])
    assert json.loads(output["data"][0]) == rows(classifier, "oil leak")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inputs": []}, "found 0 inputs, expected one, named 'text'"),
        ({"inputs": [INPUT, INPUT]}, "found 2 inputs, expected one, named 'text'"),
        ({"inputs": "text"}, "inputs is a string, expected an array"),
        ({"inputs": ["text"]}, "inputs[0] is not an object"),
        ({"inputs": [INPUT | {"name": "texts"}]}, "found input 'texts' of 'BYTES', expected 'text' of 'BYTES'"),
        ({"inputs": [INPUT | {"datatype": "FP32"}]}, "found input 'text' of 'FP32', expected 'text' of 'BYTES'"),
        ({"inputs": [INPUT | {"shape": [2]}]}, "the input has 1 elements, its shape [2] needs 2"),
        ({"inputs": [INPUT | {"shape": [1, 2]}]}, "the shape is [1, 2], expected [texts] or [texts, 1]"),
        ({"inputs": [INPUT | {"shape": []}]}, "the shape is [], expected [texts] or [texts, 1]"),
        ({"inputs": [INPUT | {"shape": [-1]}]}, "the shape is [-1], expected an array of sizes"),
        ({"inputs": [INPUT | {"shape": [True]}]}, "the shape is [True], expected an array of sizes"),
        ({"inputs": [INPUT | {"data": [7]}]}, "element 0 of the input is a number, expected a string"),
        (
            {"inputs": [INPUT | {"data": "oil"}]},
            "the data is a string, expected an array of strings, or binary_data_size",
        ),
        ({"inputs": [INPUT | {"more": 1}]}, "inputs[0] has the unknown field 'more'"),
        ({"inputs": [INPUT | {"parameters": 1}]}, "the parameters of 'text' are a number, expected an object"),
        ({"outputs": [{"name": "logits"}]}, "found output 'logits' at 0, expected 'entities' once"),
        ({"outputs": [{"name": "entities"}] * 2}, "found output 'entities' at 1, expected 'entities' once"),
        ({"parameters": {"sequence_id": 1}}, "parameters has the unknown field 'sequence_id'"),
        ({"parameters": {"binary_data_output": 1}}, "whether the output is binary is 1, expected a boolean"),
        ({"parameters": {"threshold.NOBODY": 0.5}}, "there is no label 'NOBODY' to give a threshold"),
        ({"parameters": []}, "parameters is not an object"),
        ({"id": 7}, "the id is not a string"),
        ({"input": []}, "the body has the unknown field 'input'"),
    ],
)
def test_a_wrong_request_names_the_field(fields: dict[str, Any], message: str, client: Any) -> None:
    answer = infer(client, **fields)
    assert answer.status_code == 422
    assert answer.json()["error"] == message


def binary(client: Any, behind: bytes, size: Any, length: str | None = None, **fields: Any) -> Any:
    """A request with binary data behind its JSON, which may say otherwise."""
    asked = {"name": "text", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": size}, **fields}
    head = json.dumps({"inputs": [asked]}).encode()
    return client.post(
        URL, content=head + behind, headers={"Inference-Header-Content-Length": length or str(len(head))}
    )


def packed(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def test_binary_data_are_read(client: Any) -> None:
    assert binary(client, packed(b"oil leak"), 12).status_code == 200


@pytest.mark.parametrize(
    ("data", "size", "message"),
    [
        (packed(b"oil"), 8, "binary_data_size is 8, 7 bytes follow the JSON"),
        (packed(b"oil"), "7", "binary_data_size is '7', 7 bytes follow the JSON"),
        (packed(b"oil")[:-1], 6, "the binary data ends in the middle of text 0"),
        (packed(b"oil") + b"\1\0", 9, "the binary data ends in the middle of text 1"),
        (b"\xff\xff\xff\xff", 4, "the binary data ends in the middle of text 0"),
        (packed(b"\xff"), 5, "text 0 is not UTF-8: invalid start byte at byte 0"),
        (packed(b"oil"), None, "7 bytes follow the JSON, and no input has binary_data_size"),
    ],
)
def test_binary_data_that_are_not_what_they_say_are_refused(data: bytes, size: Any, message: str, client: Any) -> None:
    answer = binary(client, data, size)
    assert answer.status_code == 400
    assert answer.json()["error"] == message


def test_more_or_fewer_elements_than_the_shape_says_are_refused(client: Any) -> None:
    answer = binary(client, packed(b"oil", b"leak"), 15)
    assert (answer.status_code, answer.json()["error"]) == (422, "the input has 2 elements, its shape [1] needs 1")


def test_data_in_both_ways_are_refused(client: Any) -> None:
    assert binary(client, packed(b"oil"), 7, data=["oil"]).status_code == 422


@pytest.mark.parametrize("length", ["100000", "-1", "ten", "²"])
def test_a_length_of_the_json_that_cannot_be_is_refused(length: str, client: Any) -> None:
    headers = {"Inference-Header-Content-Length": length.encode("latin-1")}
    answer = client.post(URL, content=b"{}", headers=headers)
    assert answer.status_code == 400
    assert "expected a number of bytes up to the body's 2" in answer.json()["error"]


def test_limits_hold_here_too(client_of: Any) -> None:
    client = client_of(text=3, queue=2)
    assert infer(client).status_code == 413
    wide = INPUT | {"shape": [3], "data": ["a", "b", "c"]}
    assert infer(client, inputs=[wide]).status_code == 413


def test_a_model_of_another_name_is_not_found(client: Any) -> None:
    answer = client.get("/v2/models/bert")
    assert answer.status_code == 404
    assert answer.json()["error"] == "there is no model 'bert' in version 1"
