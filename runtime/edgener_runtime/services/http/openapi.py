"""The OpenAPI document of a server: requests with their limits, and responses."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from edgener_runtime import __version__
from edgener_runtime.decoding.entity import AGGREGATIONS
from edgener_runtime.decoding.offsets import OFFSETS

from .models.table import VERSION
from .repository import STATES
from .service import Service

Record = dict[str, Any]
_REFUSALS = (400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 503, 504)
_DEEP = {
    "name": "deep", "in": "query", "schema": {"enum": ["0", "1"], "default": "0"},
    "description": "1 also runs each model on a tiny text",
}  # fmt: skip
_BINARY = "application/octet-stream"
_SCORE = {"type": "number", "minimum": 0, "maximum": 1}
_OFFSET = {"type": "integer", "minimum": 0}
_ENTITY = {
    "label": {"type": "string"}, "start": _OFFSET, "end": _OFFSET, "score": _SCORE, "text": {"type": "string"},
}  # fmt: skip


def openapi(service: Service) -> Record:
    """The document in OpenAPI 3.1."""
    names = service.models.names
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "edgener-runtime",
            "version": __version__,
            "description": f"Entities of texts, found by {', '.join(names)}.",
        },
        "security": [{"token": []}],
        "paths": _probes() | _predict() | _protocol(names) | _repository(names, service.has_control),
        "components": {
            "schemas": _schemas(service),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _probes() -> Record:
    """The probes, which need no token, and the metrics."""
    state = _object({"status": {"type": "string"}})
    anyone: Record = {"security": []}
    return {
        "/healthz": {"get": _operation("Whether the process answers", state) | anyone},
        "/readyz": {
            "get": _operation("Whether it accepts requests; 503 while it stops or a model hangs", state)
            | anyone
            | {"parameters": [_DEEP]}
        },
        "/metrics": {"get": _operation("Metrics for Prometheus", {"type": "string"}, media="text/plain")},
    }


def _predict() -> Record:
    body = {"application/json": {"schema": _ref("Request")}}
    each = {"oneOf": [_ref("Result"), _ref("Problem")]}
    answer = {"oneOf": [_ref("Result"), _object({"results": {"type": "array", "items": each}})]}
    return {"/predict": {"post": _operation("Entities of one text or several", answer, body)}}


def _protocol(models: list[str]) -> Record:
    """The paths of the Open Inference Protocol, with and without the model's version."""
    named = _parameter("model", models)
    paths: Record = {
        "/v2": {"get": _operation("Server metadata", {"type": "object"})},
        "/v2/health/live": {"get": _operation("Whether the process answers", {"type": "object"}) | {"security": []}},
        "/v2/health/ready": {"get": _operation("Whether it accepts requests", {"type": "object"}) | {"security": []}},
    }
    for base, parameters in (
        ("/v2/models/{model}", [named]),
        ("/v2/models/{model}/versions/{version}", [named, _parameter("version", [VERSION])]),
    ):
        own: Record = {"parameters": parameters}
        body = {"application/json": {"schema": _ref("InferRequest")}}
        inference = _operation("Inference", {"type": "object"}, body)
        inference["responses"]["200"]["content"][_BINARY] = {}  # JSON and binary data after it
        paths |= {
            base: own | {"get": _operation("Model metadata", {"type": "object"})},
            f"{base}/ready": own | {"get": _operation("Whether the model accepts requests", {"type": "object"})},
            f"{base}/infer": own | {"post": inference},
        }
    return paths


def _repository(models: list[str], has_control: bool) -> Record:
    """The paths of the model repository extension; those that change something only where they are allowed."""
    model = _object({"name": {"enum": models}, "version": {"const": VERSION}, "state": {"enum": list(STATES)},
                     "reason": {"type": "string"}})  # fmt: skip
    asked = {"application/json": {"schema": _object({"ready": {"type": "boolean", "default": False}}, ())}}
    listed = {"type": "array", "items": model}
    index: Record = _operation("The models, whether they are ready, and why not", listed, asked)
    index["requestBody"]["required"] = False
    paths: Record = {"/v2/repository/index": {"post": index}}
    if has_control:
        own: Record = {"parameters": [_parameter("model", models)]}
        base = "/v2/repository/models/{model}"
        paths[f"{base}/load"] = own | {"post": _operation("Load a model, or load its changed bundle", _object({}))}
        paths[f"{base}/unload"] = own | {"post": _operation("Unload a model after its requests", _object({}))}
    return paths


def _schemas(service: Service) -> Record:
    limits = service.limits
    text = {"type": "string", "maxLength": limits.text}
    texts = {"type": "array", "items": _ref("Text"), "maxItems": limits.queue}
    forms: Record = {"text": _ref("Text"), "texts": texts}
    must_name = ("model",) if len(service.models) > 1 else ()
    return {
        "Text": text,
        "Request": {
            "oneOf": [
                _object({"model": {"const": model.name}, name: form, **_options(model.types)}, (*must_name, name))
                for model in service.models
                for name, form in forms.items()
            ]
        },
        "Entity": _object(_ENTITY),
        "Result": _object({"entities": {"type": "array", "items": _ref("Entity")}}),
        "Problem": _object({"error": {"type": "string"}, "hint": {"type": "string"}}, ("error",)),
        "InferRequest": _infer_request(limits.queue),
    }


def _options(types: Iterable[str]) -> Record:
    return {
        "aggregation": {"enum": list(AGGREGATIONS)},
        "strict": {"type": "boolean", "default": False},
        "thresholds": _object(dict.fromkeys(types, _SCORE), ()),
        "offsets": {"enum": list(OFFSETS), "default": "characters"},
    }


def _infer_request(most: int) -> Record:
    """A request without binary data; a schema cannot require as many elements as the shape says."""
    size = {"type": "integer", "minimum": 0, "maximum": most}
    tensor = {
        "name": {"const": "text"},
        "datatype": {"const": "BYTES"},
        "shape": {"type": "array", "minItems": 1, "maxItems": 2, "prefixItems": [size, {"const": 1}]},
        "data": {"type": "array", "items": _ref("Text")},
    }
    output = _object(
        {"name": {"const": "entities"}, "parameters": _object({"binary_data": {"type": "boolean"}}, ())}, ("name",)
    )
    parameters = {
        "aggregation": {"enum": list(AGGREGATIONS)},
        "strict": {"type": "boolean"},
        "offsets": {"enum": list(OFFSETS)},
        "binary_data_output": {"type": "boolean"},
    }
    return _object(
        {
            "id": {"type": "string"},
            "parameters": _object(parameters, ()) | {"patternProperties": {"^threshold[.]": _SCORE}},
            "inputs": {"type": "array", "items": _object(tensor), "minItems": 1, "maxItems": 1},
            "outputs": {"type": "array", "items": output, "maxItems": 1},
        },
        ("inputs",),
    )


def _operation(summary: str, answer: Record, body: Record | None = None, media: str = "application/json") -> Record:
    refusal = {"content": {"application/json": {"schema": _ref("Problem")}}}
    responses: Record = {"200": {"description": "OK", "content": {media: {"schema": answer}}}}
    responses |= {str(status): refusal | {"description": HTTPStatus(status).phrase} for status in _REFUSALS}
    operation: Record = {"summary": summary, "responses": responses}
    return operation | ({"requestBody": {"required": True, "content": body}} if body else {})


def _object(properties: Record, required: tuple[str, ...] | None = None) -> Record:
    """An object of exactly these properties; all are required by default."""
    names = list(properties if required is None else required)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


def _parameter(name: str, values: list[str]) -> Record:
    return {"name": name, "in": "path", "required": True, "schema": {"enum": values}}


def _ref(name: str) -> Record:
    return {"$ref": f"#/components/schemas/{name}"}
