"""The transport for a source, by its form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgener_runtime.base.printable import escaped
from edgener_runtime.errors import UserInputError

from .archive import ArchiveTransport
from .base import TransferBounds, Transport
from .folder import FolderTransport


def _http(source: str, bounds: TransferBounds) -> Transport:
    from .http import HttpTransport

    return HttpTransport(source, bounds)


def _oci(source: str, bounds: TransferBounds) -> Transport:
    from .oci import OciTransport

    return OciTransport(source, bounds)


SCHEMES: dict[str, Callable[[str, TransferBounds], Transport]] = {"https": _http, "http": _http, "oci": _oci}
"""Each scheme of a URL with its transport; what has none is a folder or an archive."""


def _check_no_secret(address: str) -> None:
    """Refuse an address that may hold one, without repeating it: sources are in messages, logs and process lists."""
    host = address.partition("/")[0]
    part = "a name or password before its host" if "@" in host else "a query" if "?" in address else ""
    if part:
        raise UserInputError(
            f"the source's address has {part}, which would appear in logs",
            "Leave it out: updates are trusted by their signatures, and anybody may read them.",
        )


def open_transport(source: str, bounds: TransferBounds) -> Transport:
    """The transport for a URL, a folder or a tar archive. Raises UserInputError for what is none of them."""
    scheme, separator, rest = source.partition("://")
    if separator:
        _check_no_secret(rest)
        if scheme not in SCHEMES:
            names = ", ".join(f"{name}://" for name in SCHEMES)
            raise UserInputError(
                f"{escaped(source)} is not a source of updates", f"Use a folder, an archive, or {names}"
            )
        return SCHEMES[scheme](source, bounds)
    path = Path(source)
    if path.is_dir():
        return FolderTransport(path)
    if path.is_file():
        return ArchiveTransport(path)
    raise UserInputError(f"{source} does not exist", "Name a folder or a tar archive with a repository, or a URL.")
