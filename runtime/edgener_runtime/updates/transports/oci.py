"""A repository in an OCI registry: one artifact, whose layers are the files, each titled with its path."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from edgener_runtime.base.install import install_line
from edgener_runtime.base.printable import escaped
from edgener_runtime.errors import BundleError, DeviceError, TransferError, UserInputError

from .base import CHUNK, MissingFileError, SlowTransferError, TransferBounds

if TYPE_CHECKING:
    from oras.provider import Registry
    from requests import Response, Session

_TITLE = "org.opencontainers.image.title"
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_MOST_MANIFEST = 1 << 22  # bytes, as registries have it
_REDIRECTS = 3
_LOOPBACK = ("localhost", "127.0.0.1")
_AGAIN = "Run the command again: it continues where this one stopped."


class OciTransport:
    """Files of the artifact oci://HOST/NAME:TAG, each compared with the digest that was asked for."""

    def __init__(self, url: str, bounds: TransferBounds) -> None:
        parts = urlsplit(url)
        if not parts.hostname or not parts.path.strip("/"):
            raise UserInputError(f"{escaped(url)} is not an artifact", "Name it: oci://HOST/NAME:TAG")
        self._bounds = bounds
        self._registry = _registry(parts.hostname in _LOOPBACK, bounds)
        self._container = self._registry.get_container(f"{parts.netloc}{parts.path}")
        self._layers: dict[str, str] | None = None

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        """The bytes of a layer from `offset` on; a whole one is compared with its digest at its end."""
        layers = self._layers = self._titles() if self._layers is None else self._layers
        if path not in layers:
            raise MissingFileError(f"{self._container} does not have {path}", "Push the repository again.")
        digest, found = layers[path], hashlib.sha256()
        for chunk in self._get(self._container.get_blob_url(digest), offset):
            found.update(chunk)
            yield chunk
        if not offset and f"sha256:{found.hexdigest()}" != digest:
            raise BundleError(f"{self._container} answers {path} with other bytes than its digest says", _AGAIN)

    def _titles(self) -> dict[str, str]:
        """The digest of each file, from the artifact's manifest."""
        what = f"the manifest of {self._container}"
        data = _whole(self._get(self._container.manifest_url(), 0), what, self._bounds.grace)
        try:
            layers = json.loads(data)["layers"]
            found = {PurePosixPath(each["annotations"][_TITLE]).as_posix(): each["digest"] for each in layers}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BundleError(f"the manifest of {self._container} is not one of an artifact: {error}", _AGAIN) from None
        if wrong := [title for title, digest in found.items() if not _DIGEST.fullmatch(str(digest))]:
            raise BundleError(f"{self._container} has no SHA-256 for {escaped(str(wrong[0]))}", _AGAIN)
        return found

    def _get(self, url: str, offset: int) -> Iterator[bytes]:
        import requests

        try:
            response = self._request(f"{self._registry.prefix}://{url}", offset)
            with response:
                yield from self._body(response, url, offset)
        except (requests.RequestException, OSError, ValueError) as error:
            raise TransferError(f"{escaped(url)}: {escaped(str(error))[:300]}", _AGAIN) from None

    def _request(self, url: str, offset: int) -> Response:
        headers = {"Accept": "application/vnd.oci.image.manifest.v1+json, */*", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        once = inspect.unwrap(type(self._registry).do_request)  # tried again by the caller, within its bounds
        response: Response = once(self._registry, url, "GET", headers=headers, stream=True)
        return response

    def _body(self, response: Response, url: str, offset: int) -> Iterator[bytes]:
        if response.status_code == 404:
            raise MissingFileError(f"{escaped(url)} is missing", "Push the repository again.")
        if response.status_code == 416 and offset:
            return
        if response.status_code not in (200, 206):
            raise TransferError(f"{escaped(url)}: the registry answers {response.status_code}", _AGAIN)
        skip = offset if response.status_code == 200 else 0
        while chunk := response.raw.read1(CHUNK):
            yield chunk[skip:]
            skip = max(0, skip - len(chunk))

    def close(self) -> None:
        """Close the connections."""
        self._registry.session.close()


def _registry(insecure: bool, bounds: TransferBounds) -> Registry:
    """The client of a registry; without encryption only on this machine."""
    try:
        import oras.provider
    except ImportError as error:
        raise DeviceError(f"the library for registries cannot be loaded: {error}", install_line("oci")) from None
    registry = oras.provider.Registry(insecure=insecure, auth_backend="token")
    registry.session.max_redirects = _REDIRECTS
    _bound_requests(registry.session, bounds)
    return registry


def _bound_requests(session: Session, bounds: TransferBounds) -> None:
    """Bound each request of a session, also those of the library for tokens, which reads whatever they answer."""
    request = session.request

    def bounded(method: str, url: str, **options: Any) -> Response:
        response = request(method, url, **{**options, "timeout": bounds.timeout, "stream": True})
        if not options.get("stream"):
            with response:
                chunks = iter(lambda: response.raw.read1(CHUNK, decode_content=True), b"")
                data = _whole(chunks, escaped(url), bounds.grace)
            response.raw = io.BytesIO(data)
        return response

    session.request = bounded


def _whole(chunks: Iterable[bytes], what: str, seconds: float) -> bytes:
    """All of a small answer. Raises BundleError where it does not end, SlowTransferError where it takes too long."""
    data, end = b"", time.monotonic() + seconds
    for chunk in chunks:
        data += chunk
        if len(data) > _MOST_MANIFEST:
            raise BundleError(f"{what} does not end", _AGAIN)
        if time.monotonic() > end:
            raise SlowTransferError(f"{what} has not arrived after {seconds:g} s", _AGAIN)
    return data
