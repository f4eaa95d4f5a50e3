"""The boundary to the libraries that export and quantise: what they raise and what they log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from edgener_runtime.errors import EdgenerError, ExportError


@contextmanager
def export_errors(what: str) -> Iterator[None]:
    """Whatever a library raises becomes ExportError("`what`: ..."); our own errors and those of the disk pass."""
    try:
        yield
    except Exception as error:
        if isinstance(error, EdgenerError) or getattr(error, "errno", None):
            raise
        raise ExportError(f"{what}: {type(error).__name__}: {error}") from error


@contextmanager
def quiet_root_logger() -> Iterator[None]:
    """Keep a library that logs to the root logger from printing, and from setting it up for the whole process."""
    root = logging.getLogger()
    handlers = root.handlers
    root.handlers = [logging.NullHandler()]
    try:
        yield
    finally:
        root.handlers = handlers
