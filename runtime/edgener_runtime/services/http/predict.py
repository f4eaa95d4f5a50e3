"""POST /predict: one text or several, with decoding options."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from edgener_runtime.errors import EdgenerError
from edgener_runtime.pipeline import Answer

from .error_responses import RequestError, error_record, to_json
from .limits import Limits
from .models.served import ServedModel
from .models.table import ModelTable
from .request_body import parse_object, read_body
from .request_fields import OPTIONS, array, decoding_of, few_enough, refuse_unknown, string, text_of
from .service import Service


async def predict(request: Request) -> Response:
    """The entities of "text", or the results of "texts" in their order; one that fails has an error in its place."""
    service: Service = request.app.state.service
    limits = service.limits
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError(415, "the body must be application/json", "Send the header Content-Type: application/json.")
    record = parse_object(await read_body(request, limits))
    model = _model(record, request)
    texts = _texts(record, limits)
    found = await service.answer(model, texts, decoding_of(record), request)
    if "text" in record and isinstance(found[0], EdgenerError):
        raise found[0]
    results = await encoded(found, result_record)
    content = results[0] if "text" in record else b'{"results": [' + b", ".join(results) + b"]}"
    return Response(content, media_type="application/json")


async def encoded(found: Sequence[Answer], record_of: Callable[[Answer], Any]) -> list[bytes]:
    """The JSON of each answer; a long request has many entities, so that others have their turn after each text."""
    records = []
    for answer in found:
        records.append(to_json(record_of(answer)))
        await asyncio.sleep(0)
    return records


def result_record(answer: Answer) -> dict[str, Any]:
    """The entities or the error of one text as a record."""
    if isinstance(answer, EdgenerError):
        return error_record(answer)
    return {"entities": [vars(entity) for entity in answer]}


def select(request: Request, model: ServedModel) -> ServedModel:
    """The model, noted for the metrics and the log."""
    request.state.model = model.name
    return model


def _model(record: dict[str, Any], request: Request) -> ServedModel:
    """The model that a request names, or the only one."""
    models: ModelTable = request.app.state.service.models
    return select(request, models.find(string(record["model"], "model")) if "model" in record else models.only())


def _texts(record: dict[str, Any], limits: Limits) -> list[str]:
    refuse_unknown(record, ("model", "text", "texts", *OPTIONS))
    if ("text" in record) == ("texts" in record):
        raise RequestError(422, 'expected either "text" or "texts"')
    if "text" in record:
        return [text_of(record["text"], "text", limits)]
    texts = array(record["texts"], "texts")
    few_enough(len(texts), limits)
    return [text_of(text, f"texts[{i}]", limits) for i, text in enumerate(texts)]
