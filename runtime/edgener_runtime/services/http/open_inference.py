"""The Open Inference Protocol (V2): metadata of server and model, readiness, and inference.

Input "text" and output "entities" are BYTES tensors of one shape, with a JSON list of entities for each text, or an
object with its error for a text that fails.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from edgener_runtime import __version__
from edgener_runtime.decoding.entity import Decoding
from edgener_runtime.pipeline import Answer

from .error_responses import RequestError, json_response
from .limits import Limits
from .models.served import ServedModel
from .models.table import VERSION, ModelTable
from .predict import encoded, result_record, select
from .request_body import read_body
from .request_fields import array, decoding_of, few_enough, refuse_unknown, text_of
from .service import Service
from .tensors import HEADER, pack, read_elements, size_of, split_body

INPUT, OUTPUT = "text", "entities"
_PARAMETERS = ("aggregation", "strict", "offsets")
_THRESHOLD = "threshold."  # the protocol has no nested parameters: threshold.PER = 0.5
_BINARY = "binary_data_output"


async def server_metadata(_: Request) -> Response:
    """Name, version and extensions of the server."""
    return json_response(
        {"name": "edgener-runtime", "version": __version__, "extensions": ["binary_tensor_data", "model_repository"]}
    )


async def model_metadata(request: Request) -> Response:
    """Inputs and outputs of the model."""
    model = _model(request)
    return json_response(
        {
            "name": model.name,
            "versions": [VERSION],
            "platform": model.in_use().classifier.explain().library,
            "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
            "outputs": [{"name": OUTPUT, "datatype": "BYTES", "shape": [-1]}],
        }
    )


async def model_ready(request: Request) -> Response:
    """Whether the model accepts requests."""
    service: Service = request.app.state.service
    model = _model(request)
    ready = service.not_ready_model(model) is None
    return json_response({"name": model.name, "ready": ready}, 200 if ready else 503)


async def inference(request: Request) -> Response:
    """The entities of each element of the input."""
    service: Service = request.app.state.service
    model = _model(request)
    body = await read_body(request, service.limits)
    record, binary = split_body(body, request.headers.get(HEADER))
    refuse_unknown(record, ("id", "parameters", "inputs", "outputs"))
    identity = record.get("id", "")
    if not isinstance(identity, str):
        raise RequestError(422, "the id is not a string")
    parameters = _object(record.get("parameters", {}), "parameters")
    tensor = _input(record)
    texts = _texts(tensor, binary, service.limits)
    as_binary = _is_binary(record, parameters)
    found = await service.answer(model, texts, _decoding(parameters), request)
    head: dict[str, Any] = {"model_name": model.name, "model_version": VERSION}
    head |= {"id": identity} if identity else {}
    return _response(head, tensor["shape"], await encoded(found, _element), as_binary)


def _model(request: Request) -> ServedModel:
    """The model that the path names. Raises RequestError 404."""
    models: ModelTable = request.app.state.service.models
    return select(request, models.find(request.path_params["model"], request.path_params.get("version", VERSION)))


def _input(record: dict[str, Any]) -> dict[str, Any]:
    inputs = array(record.get("inputs"), "inputs")
    if len(inputs) != 1:
        raise RequestError(422, f"found {len(inputs)} inputs, expected one, named {INPUT!r}")
    tensor = _object(inputs[0], "inputs[0]")
    refuse_unknown(tensor, ("name", "shape", "datatype", "parameters", "data"), "inputs[0]")
    if (tensor.get("name"), tensor.get("datatype")) != (INPUT, "BYTES"):
        raise RequestError(
            422, f"found input {tensor.get('name')!r} of {tensor.get('datatype')!r}, expected {INPUT!r} of 'BYTES'"
        )
    return tensor


def _texts(tensor: dict[str, Any], binary: bytes, limits: Limits) -> list[str]:
    count = size_of(tensor.get("shape"))
    few_enough(count, limits)
    elements = read_elements(tensor, binary)
    if len(elements) != count:
        raise RequestError(422, f"the input has {len(elements)} elements, its shape {tensor['shape']} needs {count}")
    return [text_of(element, f"element {i} of the input", limits) for i, element in enumerate(elements)]


def _is_binary(record: dict[str, Any], parameters: dict[str, Any]) -> bool:
    """Whether the output follows the JSON as bytes: its own parameter, else that of all outputs."""
    outputs = array(record.get("outputs", []), "outputs")
    binary = parameters.get(_BINARY, False)
    for i, output in enumerate(outputs):
        refuse_unknown(_object(output, f"outputs[{i}]"), ("name", "parameters"), f"outputs[{i}]")
        if output.get("name") != OUTPUT or i:
            raise RequestError(422, f"found output {output.get('name')!r} at {i}, expected {OUTPUT!r} once")
        own = _object(output.get("parameters", {}), f"outputs[{i}].parameters")
        refuse_unknown(own, ("binary_data",), f"outputs[{i}].parameters")
        binary = own.get("binary_data", binary)
    if not isinstance(binary, bool):
        raise RequestError(422, f"whether the output is binary is {binary!r}, expected a boolean")
    return binary


def _decoding(parameters: dict[str, Any]) -> Decoding:
    rest = {name: value for name, value in parameters.items() if name != _BINARY and not name.startswith(_THRESHOLD)}
    refuse_unknown(rest, _PARAMETERS, "parameters")
    thresholds = {
        name.removeprefix(_THRESHOLD): value for name, value in parameters.items() if name.startswith(_THRESHOLD)
    }
    return decoding_of(rest | ({"thresholds": thresholds} if thresholds else {}))


def _element(answer: Answer) -> Any:
    """The list of entities, or the error."""
    result = result_record(answer)
    return result.get("entities", result)


def _response(record: dict[str, Any], shape: list[int], elements: Sequence[bytes], binary: bool) -> Response:
    tensor: dict[str, Any] = {"name": OUTPUT, "datatype": "BYTES", "shape": shape}
    if not binary:
        return json_response(record | {"outputs": [tensor | {"data": [element.decode() for element in elements]}]})
    data = pack(elements)
    head = json.dumps(record | {"outputs": [tensor | {"parameters": {"binary_data_size": len(data)}}]}).encode()
    return Response(head + data, headers={HEADER: str(len(head))}, media_type="application/octet-stream")


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RequestError(422, f"{name} is not an object")
    return value
