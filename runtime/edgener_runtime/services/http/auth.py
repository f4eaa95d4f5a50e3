"""Who may ask, and what every answer says besides."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgener_runtime.errors import UserInputError

from .error_responses import RequestError
from .service import Service

TOKEN_VARIABLE = "EDGENER_TOKEN"
OPEN = frozenset(
    {"/", "/page.css", "/page.js", "/openapi.json", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}
)
_EVERY_ANSWER = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def read_token(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """The bearer token in a file, else in EDGENER_TOKEN, else none. Raises UserInputError where it cannot be one."""
    if file is None and TOKEN_VARIABLE not in environment:
        return None
    try:
        token = (environment[TOKEN_VARIABLE] if file is None else file.read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserInputError(
            f"cannot read the token in {file}: {error}", "Check the path and its permissions."
        ) from None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UserInputError(
            f"{file or TOKEN_VARIABLE} holds no token: expected printable ASCII without spaces",
            "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return token


class Guarded:
    """ASGI middleware: a bearer token for all but the page and the probes, and headers for every answer.

    Once the service drains, every answer closes its connection, so that no client is on it when the server stops.
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
                headers.update(_EVERY_ANSWER)
                if self.service.draining:
                    headers["Connection"] = "close"
            await send(message)

        app = self.app if self._may(scope) else _UNKNOWN.answer()
        await app(scope, receive, complete)

    def _may(self, scope: Scope) -> bool:
        if self._expected is None or scope["path"] in OPEN:
            return True
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.encode("latin-1"), self._expected)


_UNKNOWN = RequestError(
    401,
    "a bearer token is needed",
    "Send the header Authorization: Bearer TOKEN.",
    headers={"WWW-Authenticate": "Bearer"},
)
