"""Answers in JSON, refusals among them: {"error", "hint"}, where the Open Inference Protocol has its "error" too."""

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


class RequestError(Exception):
    """A request that is refused, with the HTTP status and headers that say so."""

    def __init__(
        self, status: int, message: str, hint: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint
        self.headers = headers

    def answer(self) -> Response:
        """What the client gets."""
        record = {"error": self.message} | ({"hint": self.hint} if self.hint else {})
        return json_answer(record, self.status, self.headers)


def json_answer(record: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A record as JSON in UTF-8."""
    return Response(to_json(record), status, headers, "application/json")


def to_json(record: Any) -> bytes:
    """JSON in UTF-8; a lone surrogate as JSON's escape for it."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")


async def refuse(_: Request, problem: Exception) -> Response:
    """A RequestError as its answer."""
    assert isinstance(problem, RequestError)
    return problem.answer()


async def refuse_route(_: Request, error: Exception) -> Response:
    """A path or method that there is not."""
    assert isinstance(error, HTTPException)
    hint = "See /openapi.json for what there is."
    return RequestError(error.status_code, error.detail.lower(), hint, error.headers).answer()


async def explain_error(request: Request, error: Exception) -> Response:
    """What the classifier raises: 422 where the client can mend it, else 500 and a line in the log."""
    assert isinstance(error, EdgenerError)
    if isinstance(error, UserInputError):
        return RequestError(422, error.message, error.hint).answer()
    _log.error("%s: %s", request.url.path, error.message)
    return RequestError(500, error.message, error.hint).answer()


async def hide_fault(_: Request, __: Exception) -> Response:
    """A fault of ours, which uvicorn tells to the log."""
    return RequestError(500, "internal error", "The server's log says more.").answer()
