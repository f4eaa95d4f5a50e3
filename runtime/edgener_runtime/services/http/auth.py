"""Bearer tokens, and the headers of every response."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgener_runtime.errors import UserInputError
from edgener_runtime.services.secret_file import check_secret_file

from .error_responses import RequestError
from .service import Service

TOKEN_VARIABLE = "EDGENER_TOKEN"  # noqa: S105 - its name
PROBES = frozenset({"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"})
PUBLIC = PROBES | {"/", "/page.css", "/page.js", "/openapi.json"}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def read_token(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """The bearer token in a file, else in EDGENER_TOKEN, else None. Raises UserInputError for an invalid token."""
    if file is None and TOKEN_VARIABLE not in environment:
        return None
    if file:
        check_secret_file(file)
    try:
        token = (environment[TOKEN_VARIABLE] if file is None else file.read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserInputError(
            f"cannot read the token in {file}: {error}", "Check the path and its permissions."
        ) from None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UserInputError(
            f"{file or TOKEN_VARIABLE} has no token: expected printable ASCII without spaces",
            "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return token


class Authentication:
    """ASGI middleware: a bearer token for all paths except the page and the probes, and headers for every response.

    While the service drains, every response closes its connection, so that no client is connected at the stop. So does
    every response while there are so many requests that only probes are answered.
    """

    def __init__(self, app: ASGIApp, service: Service, token: str | None) -> None:
        self.app = app
        self.service = service
        self._expected = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                if self.service.draining or _only_probes(scope):
                    headers["Connection"] = "close"
            await send(message)

        refusal = self._refusal(scope)
        app = refusal.response() if refusal else self.app
        await app(scope, receive, complete)

    def _refusal(self, scope: Scope) -> RequestError | None:
        if _has_two_lengths(scope):
            return _TWO_LENGTHS
        if _only_probes(scope) and scope["path"] not in PROBES:
            return _BUSY
        return None if self._is_allowed(scope) else _UNAUTHORIZED

    def _is_allowed(self, scope: Scope) -> bool:
        if self._expected is None or scope["path"] in PUBLIC:
            return True
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.encode("latin-1"), self._expected)


def _only_probes(scope: Scope) -> bool:
    return bool(scope.get("state", {}).get("only_probes"))


def _has_two_lengths(scope: Scope) -> bool:
    """Whether a proxy may take another end for that of the body, and what follows for the request of someone else."""
    headers = Headers(scope=scope)
    return "content-length" in headers and "transfer-encoding" in headers


_TWO_LENGTHS = RequestError(
    400, "the request has both Content-Length and Transfer-Encoding", "Send one of them.", {"Connection": "close"}
)
_BUSY = RequestError(503, "too many connections, all with a request", "Try again.", {"Retry-After": "1"})
_UNAUTHORIZED = RequestError(
    401,
    "a bearer token is required",
    "Send the header Authorization: Bearer TOKEN.",
    headers={"WWW-Authenticate": "Bearer"},
)
