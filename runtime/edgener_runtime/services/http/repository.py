"""The model repository extension of the Open Inference Protocol: the list of models, and loading and unloading them.

Only models that the server was started with are loaded, from the folders that it was started with. Where there is no
token, whoever reaches the address could unload them; web pages in a browser of this machine do. So both are off unless
the server is started with --model-control, and requests of web pages are refused.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .error_responses import RequestError, json_response
from .models.lifecycle import Lifecycle
from .models.table import VERSION
from .predict import select
from .request_body import parse_object, read_body
from .request_fields import refuse_unknown
from .service import Service

READY, UNAVAILABLE = STATES = "READY", "UNAVAILABLE"
_UNLOAD = ("unload_dependents",)  # no model depends on another


async def repository_index(request: Request) -> Response:
    """Each model with its state, and the reason where it is not ready; with "ready": true only those that are."""
    service: Service = request.app.state.service
    record = await _record(request)
    refuse_unknown(record, ("ready",))
    only_ready = record.get("ready", False)
    if not isinstance(only_ready, bool):
        raise RequestError(422, f"ready is {only_ready!r}, expected a boolean")
    reasons = [(model.name, service.not_ready_model(model)) for model in service.models]
    return json_response([_entry(name, reason) for name, reason in reasons if not (only_ready and reason)])


async def load_model(request: Request) -> Response:
    """Load the bundle of a model, or load it again: the answer comes once it is in use."""
    lifecycle = await _controlled(request, ())
    await lifecycle.load()
    return json_response({})


async def unload_model(request: Request) -> Response:
    """Accept no more requests for a model; the answer comes once the accepted ones are answered."""
    lifecycle = await _controlled(request, _UNLOAD)
    await lifecycle.unload()
    return json_response({})


def _entry(name: str, reason: str | None) -> dict[str, str]:
    state = UNAVAILABLE if reason else READY
    return {"name": name, "version": VERSION, "state": state, "reason": reason or ""}


async def _controlled(request: Request, parameters: tuple[str, ...]) -> Lifecycle:
    """The model that the path names. Raises RequestError: 403 where it may not be changed, 404, 422."""
    service: Service = request.app.state.service
    if not service.has_control:
        raise RequestError(403, "models are not loaded or unloaded over HTTP", "Start the server with --model-control.")
    if "origin" in request.headers:
        raise RequestError(403, "web pages may not load or unload models", "Send the request without Origin.")
    model = select(request, service.models.find(request.path_params["model"]))
    record = await _record(request)
    refuse_unknown(record, ("parameters",))
    given = record.get("parameters", {})
    if not isinstance(given, dict):
        raise RequestError(422, "parameters is not an object")
    refuse_unknown(given, parameters, "parameters")  # such as files and configurations: they come with the bundle
    return service.lifecycles[model]


async def _record(request: Request) -> dict[str, Any]:
    """The body, which may be empty."""
    service: Service = request.app.state.service
    body = await read_body(request, service.limits)
    return parse_object(body) if body else {}
