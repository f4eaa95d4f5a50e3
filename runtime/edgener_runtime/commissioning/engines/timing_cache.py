"""The cache of timings: what the builder measured of kernels, kept so that the next build need not measure it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgener_runtime.base.files import write_atomic
from edgener_runtime.base.process import Follow


def take_timings(config: Any, file: Path, tell: Follow) -> Any:
    """Let a build begin with what an earlier one measured; a cache that cannot serve is begun anew, and that is told.

    The cache is to live as long as the configuration.
    """
    kept = file.read_bytes() if file.is_file() else b""
    cache = _read(config, kept)
    if kept and (cache is None or not config.set_timing_cache(cache, False)):
        tell({"event": "log", "severity": "WARNING", "message": f"{file} is damaged or not of this GPU: begun anew"})
        kept = b""
    if not kept:
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache


def keep_timings(config: Any, file: Path) -> None:
    """Write what was measured."""
    cache = config.get_timing_cache()
    write_atomic(file, bytes(cache.serialize()))


def _read(config: Any, content: bytes) -> Any:
    try:
        return config.create_timing_cache(content)
    except (TypeError, ValueError, RuntimeError):  # the bindings' ways to say that there is none
        return None
