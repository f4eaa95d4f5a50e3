"""A repository on a web server or object store, over HTTPS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from edgener_runtime.base.printable import escaped
from edgener_runtime.errors import TransferError, UserInputError
from edgener_runtime.version import __version__

from .base import CHUNK, MissingFileError, TransferBounds

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MISSING = (403, 404, 410)  # object stores answer 403 for what they do not have
_REDIRECTS = 3
_AGAIN = "Run the command again: it continues where this one stopped."


class HttpTransport:
    """Files below a URL. Proxies are those of the environment (HTTPS_PROXY, NO_PROXY), authorities those of the system.

    A server that does not know ranges sends files from their start; what the device has of them is skipped.
    """

    def __init__(self, url: str, bounds: TransferBounds) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise UserInputError(f"{escaped(url)} is not encrypted", "Use https://; http:// is for this machine alone.")
        self._url = url.rstrip("/")
        self._bounds = bounds
        self._pool = _pool(parts.scheme, parts.hostname or "")

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        """The bytes of a file from `offset` on."""
        import urllib3

        url = f"{self._url}/{path}"
        try:
            response = self._request(url, offset)
            try:
                yield from self._body(response, url, offset)
            finally:
                response.close()
        except urllib3.exceptions.HTTPError as error:
            raise TransferError(f"{escaped(url)}: {_reason(error)}", _AGAIN) from None

    def _request(self, url: str, offset: int) -> BaseHTTPResponse:
        import urllib3

        return self._pool.request(
            "GET",
            url,
            headers={"Range": f"bytes={offset}-"} if offset else None,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(self._bounds.timeout),
            retries=urllib3.Retry(total=None, connect=0, read=0, other=0, status=0, redirect=_REDIRECTS),
        )

    def _body(self, response: BaseHTTPResponse, url: str, offset: int) -> Iterator[bytes]:
        if response.status in _MISSING:
            raise MissingFileError(f"{escaped(url)} is missing", "Name a repository that edgener publish made.")
        if response.status == 416 and offset:  # nothing is left to be sent
            return
        if response.status not in (200, 206):
            raise TransferError(f"{escaped(url)}: the server answers {response.status}", _AGAIN)
        skip = offset if response.status == 200 else 0
        length, got = response.headers.get("Content-Length", ""), 0
        while chunk := response.read1(CHUNK):
            got += len(chunk)
            yield chunk[skip:]
            skip = max(0, skip - len(chunk))
        if length.isdecimal() and got < int(length[:18]):
            raise TransferError(f"{escaped(url)} ends after {got:,} of {length} bytes", _AGAIN)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


def _pool(scheme: str, host: str) -> PoolManager:
    import urllib3
    from urllib3.util import make_headers

    options: dict[str, Any] = {
        "headers": {"User-Agent": f"edgener-runtime/{__version__}", "Accept-Encoding": "identity"},
        "ssl_context": ssl.create_default_context(),
    }
    proxy = None if proxy_bypass(host) else getproxies().get(scheme)
    if not proxy:
        return urllib3.PoolManager(**options)
    try:
        own = urllib3.util.parse_url(proxy).auth
        headers = make_headers(proxy_basic_auth=unquote(own)) if own else None
        return urllib3.ProxyManager(proxy, proxy_headers=headers, **options)
    except (urllib3.exceptions.HTTPError, ValueError):  # which would repeat its password
        raise UserInputError(
            f"the variable {scheme.upper()}_PROXY is not a URL of a proxy", "Write it as http://HOST:PORT."
        ) from None


def _reason(error: Exception) -> str:
    """Why a request failed, without the pools and attempts of the library."""
    reason = getattr(error, "reason", None)
    return escaped(str(reason or error))[:300]
