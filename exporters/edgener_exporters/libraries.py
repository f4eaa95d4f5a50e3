"""The boundary to the libraries that train, export and quantise: their errors are mapped and their logging silenced."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from edgener_runtime.errors import EdgenerError, ExportError


@contextmanager
def export_errors(what: str) -> Iterator[None]:
    """Map any exception of a library to ExportError("`what`: ..."); edgener's own errors and disk errors pass."""
    try:
        yield
    except Exception as error:
        if isinstance(error, EdgenerError) or getattr(error, "errno", None):
            raise
        raise ExportError(f"{what}: {type(error).__name__}: {error}") from error


def reason_of(error: Exception) -> str:
    """The class of a library's error and the first line of what it says, if anything."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def silence_libraries() -> None:
    """Silence the progress bars, warnings and log lines of torch, transformers, accelerate and peft."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"torch|transformers|accelerate|peft")
