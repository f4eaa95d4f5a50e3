"""The Starlette application: which path leads where, and what wraps all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from edgener_runtime.errors import EdgenerError

from .auth import Guarded
from .error_responses import RequestError, explain_error, hide_fault, json_answer, refuse, refuse_route
from .metrics import Measured
from .open_inference import infer, model_metadata, model_ready, server_metadata
from .openapi import openapi
from .predict import predict
from .service import Service

_PAGE = Path(__file__).parent / "page"
_MODELS = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")


def create_app(service: Service, token: str | None = None) -> Starlette:
    """The application of a service; who bears no `token`, where there is one, is turned away.

    Closes the classifier at its end.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with service.classifier:
            yield

    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(Measured, service.metrics), Middleware(Guarded, service, token)],
        exception_handlers={
            RequestError: refuse,
            HTTPException: refuse_route,
            EdgenerError: explain_error,
            Exception: hide_fault,
        },
        lifespan=lifespan,
    )
    app.state.service = service
    return app


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
        *(Route(base, model_metadata) for base in _MODELS),
        *(Route(f"{base}/ready", model_ready) for base in _MODELS),
        *(Route(f"{base}/infer", infer, methods=["POST"]) for base in _MODELS),
    ]


async def page(_: Request) -> Response:
    """The page to type a text and see its entities."""
    return FileResponse(_PAGE / "page.html")


async def page_file(request: Request) -> Response:
    """What the page is made of."""
    return FileResponse(_PAGE / request.url.path.rpartition("/")[2])


async def healthz(_: Request) -> Response:
    """That the process answers."""
    return json_answer({"status": "live"})


async def readyz(request: Request) -> Response:
    """Whether requests are to be sent here: 503 once the server stops."""
    service: Service = request.app.state.service
    if service.draining:
        raise RequestError(503, "the server stops", "Ask another, or start it again.")
    return json_answer({"status": "ready"})


async def metrics(request: Request) -> Response:
    """Metrics as Prometheus reads them."""
    service: Service = request.app.state.service
    return Response(service.metrics.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def openapi_json(request: Request) -> Response:
    """The OpenAPI document."""
    return json_answer(openapi(request.app.state.service))
