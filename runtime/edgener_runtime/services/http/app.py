"""The Starlette application: routes, middleware and error handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgener_runtime.errors import EdgenerError

from .admission.body_budget import BodyBudget
from .auth import Authentication
from .error_responses import (
    RequestError,
    classifier_error,
    internal_error,
    json_response,
    request_error,
    route_error,
)
from .metrics import RequestMetrics
from .open_inference import inference, model_metadata, model_ready, server_metadata
from .openapi import openapi
from .predict import predict
from .repository import load_model, repository_index, unload_model
from .service import Service

_PAGE = Path(__file__).parent / "page"
_MODELS = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")


def create_app(service: Service, token: str | None = None) -> Starlette:
    """The application of a service; with a `token`, requests without it are refused.

    The application closes the models at its end.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await service.close()

    app = Starlette(
        routes=_routes(),
        middleware=[
            Middleware(RequestMetrics, service.metrics),
            Middleware(BundleVersion),
            Middleware(Authentication, service, token),
            Middleware(BodyBudget, service.bodies),
        ],
        exception_handlers={
            RequestError: request_error,
            HTTPException: route_error,
            EdgenerError: classifier_error,
            Exception: internal_error,
        },
        lifespan=lifespan,
    )
    app.state.service = service
    app.router.redirect_slashes = False  # programs do not follow the redirect of a POST
    return app


class BundleVersion:
    """ASGI middleware that names the version of the bundle that answered in a header."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add_header(message: Message) -> None:
            version = scope.get("state", {}).get("bundle_version")
            if version and message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"edgener-bundle-version", version.encode("ascii"))]
            await send(message)

        await self.app(scope, receive, add_header)


def _routes() -> list[Route]:
    return [
        Route("/", page),
        Route("/page.css", page_file),
        Route("/page.js", page_file),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi_json),
        Route("/predict", predict, methods=["POST"]),
        Route("/v2", server_metadata),
        Route("/v2/health/live", healthz),
        Route("/v2/health/ready", readyz),
        Route("/v2/repository/index", repository_index, methods=["POST"]),
        Route("/v2/repository/models/{model}/load", load_model, methods=["POST"]),
        Route("/v2/repository/models/{model}/unload", unload_model, methods=["POST"]),
        *(Route(base, model_metadata) for base in _MODELS),
        *(Route(f"{base}/ready", model_ready) for base in _MODELS),
        *(Route(f"{base}/infer", inference, methods=["POST"]) for base in _MODELS),
    ]


async def page(request: Request) -> Response:
    """The web page that shows the entities of a typed text, with a choice of the models."""
    options = "".join(f"<option>{escape(name)}</option>" for name in request.app.state.service.models.names)
    return HTMLResponse((_PAGE / "page.html").read_text(encoding="utf-8").replace("<option>", options))


async def page_file(request: Request) -> Response:
    """Style and script of the page."""
    return FileResponse(_PAGE / request.url.path.rpartition("/")[2])


async def healthz(_: Request) -> Response:
    """The liveness probe."""
    return json_response({"status": "live"})


async def readyz(request: Request) -> Response:
    """The readiness probe: 503 while the server stops or a model hangs; `?deep=1` also runs the models."""
    service: Service = request.app.state.service
    deep = request.query_params.get("deep", "0")
    if deep not in ("0", "1"):
        raise RequestError(422, f"deep is {deep!r}, expected 0 or 1")
    if reason := service.not_ready:
        raise RequestError(503, reason, "Use another server, or start this one again.")
    if deep == "1":
        await service.models.check_within()
    return json_response({"status": "ready"})


async def metrics(request: Request) -> Response:
    """Metrics in the format of Prometheus."""
    service: Service = request.app.state.service
    return Response(service.metrics.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def openapi_json(request: Request) -> Response:
    """The OpenAPI document."""
    return json_response(openapi(request.app.state.service))
