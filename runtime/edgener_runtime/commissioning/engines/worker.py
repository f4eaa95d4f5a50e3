"""The process that builds one engine: a job on stdin, events on stdout, its native code's own output on stderr.

It is a process of its own because TensorRT may crash, or be killed for want of memory; the caller must not go with it.
"""

from __future__ import annotations

import os
import select
import sys
import time
from pathlib import Path
from typing import Any

from edgener_runtime.backends.tensorrt.backend import find_backend, load_backend, make
from edgener_runtime.backends.tensorrt.logger import make_logger, make_monitor
from edgener_runtime.backends.tensorrt.options import apply_options
from edgener_runtime.backends.tensorrt.paths import timing_cache_file
from edgener_runtime.base.files import write_atomic
from edgener_runtime.base.process import Follow, events
from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.errors import EdgenerError, ExportError

from .cross_build import build_ahead_for
from .job import Built, Job
from .layers import dump_layers
from .network import add_profiles, ask_dla, parse_graph, tensors_of
from .timing_cache import keep_timings, take_timings
from .watchdog import CANCELLED, watch


class CancelledError(EdgenerError):
    """The caller wants no engine any more."""


def main() -> int:
    """Build what stdin asks for; 0 when the engine is written, or the failure was told."""
    tell = events()
    job = from_json(Job, sys.stdin.readline(), "the job")
    watch(find_backend(job.backend).title, tell, _is_wanted)
    try:
        built = build(job, tell)
    except CancelledError:
        return CANCELLED
    except EdgenerError as error:
        tell({"event": "failed", "kind": type(error).__name__, "message": error.message, "hint": error.hint})
    else:
        tell({"event": "built", "facts": to_json(built)})
    return 0


def build(job: Job, tell: Follow) -> Built:
    """Build an engine and write it to `job.engine`. Raises EdgenerError."""
    begun = time.monotonic()
    trt = load_backend(job.backend, needs_gpu=not job.compute_capabilities)
    tell({"event": "started", "version": trt.__version__, "process": os.getpid()})
    logger = make_logger(trt, tell)
    builder = make(trt.Builder, logger)
    network, parser = parse_graph(trt, builder, logger, Path(job.onnx))
    config = builder.create_builder_config()
    inputs, outputs = tensors_of(network)
    add_profiles(builder, config, job.profiles, inputs)
    if job.compute_capabilities:
        build_ahead_for(trt, config, job.compute_capabilities)
    apply_options(trt, builder, config, job.options)
    dla = None if job.options.dla_core is None else ask_dla(network, config, job.options.dla_core)
    plan = _serialized(trt, builder, network, config, job, tell)
    write_atomic(Path(job.engine), bytes(plan))
    if job.layers:
        dump_layers(trt, logger, plan, Path(job.layers))
    del parser  # it holds weights that the network reads
    return Built(trt.__version__, inputs, outputs, round(time.monotonic() - begun, 3), dla)


def _serialized(trt: Any, builder: Any, network: Any, config: Any, job: Job, tell: Follow) -> Any:
    """The engine's bytes. Raises ExportError where there are none, CancelledError where stdin was closed meanwhile."""
    timings = _timings(trt, job)
    cache = take_timings(config, timings, tell) if timings else None
    config.progress_monitor = monitor = make_monitor(trt, tell, _is_wanted)
    plan = builder.build_serialized_network(network, config)
    if not _is_wanted():
        raise CancelledError("cancelled")
    if plan is None:
        raise ExportError(f"{find_backend(job.backend).title} builds no engine of {Path(job.onnx).name}")
    if timings:
        keep_timings(config, timings)
    del cache, monitor  # TensorRT does not keep them alive
    return plan


def _timings(trt: Any, job: Job) -> Path | None:
    """The file of timings; in a folder, that of this GPU and version."""
    if not job.timing_cache:
        return None
    file = Path(job.timing_cache)
    return timing_cache_file(file, trt.__version__, job.gpu or "gpu") if file.is_dir() else file


def _is_wanted() -> bool:
    """Whether stdin is still open: nothing comes after the job, so it can be read from only at its end."""
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return not readable
