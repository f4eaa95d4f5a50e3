"""JSON responses, and errors as {"error", "hint"}; the Open Inference Protocol has the same "error"."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edgener_runtime.errors import EdgenerError, UserInputError

_log = logging.getLogger(__name__)
_LONGEST = 1000  # characters of a message or hint


class RequestError(Exception):
    """A refused request, with HTTP status and headers."""

    def __init__(
        self, status: int, message: str, hint: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint
        self.headers = headers

    def response(self) -> Response:
        """The response to the client."""
        return json_response(error_record(self), self.status, self.headers)


def error_record(error: RequestError | EdgenerError) -> dict[str, str]:
    """An error for the client; what a message quotes of a request may be as long as the request."""
    record = {"error": error.message} | ({"hint": error.hint} if error.hint else {})
    return {name: text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..." for name, text in record.items()}


def json_response(record: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A record as JSON in UTF-8."""
    return Response(to_json(record), status, headers, "application/json")


def to_json(record: Any) -> bytes:
    """JSON in UTF-8; a lone surrogate as its JSON escape."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")


async def request_error(_: Request, error: Exception) -> Response:
    """The response of a RequestError."""
    if not isinstance(error, RequestError):
        raise error
    return error.response()


async def route_error(_: Request, error: Exception) -> Response:
    """The response for an unknown path or method."""
    if not isinstance(error, HTTPException):
        raise error
    hint = "See /openapi.json for the paths."
    return RequestError(error.status_code, error.detail.lower(), hint, error.headers).response()


async def classifier_error(request: Request, error: Exception) -> Response:
    """The response for an EdgenerError: 422 where the client can fix it, else 500 and a line in the log."""
    if not isinstance(error, EdgenerError):
        raise error
    if isinstance(error, UserInputError):
        return RequestError(422, error.message, error.hint).response()
    model = getattr(request.state, "model", None)
    _log.error("%s%s: %s", f"{model}: " if model else "", request.url.path, error.message)
    return RequestError(500, error.message, error.hint).response()


async def internal_error(_: Request, __: Exception) -> Response:
    """The response for an unexpected exception, which uvicorn logs."""
    return RequestError(500, "internal error", "The server's log has the details.").response()
