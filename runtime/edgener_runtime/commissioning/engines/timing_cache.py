"""The timing cache: the builder's measurements of kernels, stored so that the next build need not repeat them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgener_runtime.base.files import write_atomic
from edgener_runtime.base.process import Follow


def load_timing_cache(config: Any, file: Path, report: Follow) -> Any:
    """Load the measurements of an earlier build; a cache that cannot be used is replaced by a new one, with a warning.

    The cache must live as long as the configuration.
    """
    stored = file.read_bytes() if file.is_file() else b""
    cache = _read(config, stored)
    if stored and (cache is None or not config.set_timing_cache(cache, False)):
        report(
            {
                "event": "log",
                "severity": "WARNING",
                "message": f"{file} is damaged or not of this GPU: starting a new one",
            }
        )
        stored = b""
    if not stored:
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache


def save_timing_cache(config: Any, file: Path) -> None:
    """Write the measurements."""
    cache = config.get_timing_cache()
    write_atomic(file, bytes(cache.serialize()))


def _read(config: Any, content: bytes) -> Any:
    try:
        return config.create_timing_cache(content)
    except (TypeError, ValueError, RuntimeError):  # the bindings' ways to report that there is none
        return None
