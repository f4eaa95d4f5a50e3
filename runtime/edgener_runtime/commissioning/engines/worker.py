"""The process that builds one engine: a job on stdin, events on stdout, the output of native code on stderr.

It is a process of its own because TensorRT may crash, or be killed when memory runs out; the caller must survive.
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

from .cross_build import target_capabilities
from .job import BuildJob, Built
from .layers import dump_layers
from .network import add_profiles, ask_dla, parse_graph, tensors_of
from .timing_cache import load_timing_cache, save_timing_cache
from .watchdog import CANCELLED, watch


class CancelledError(EdgenerError):
    """The caller is gone."""


def main() -> int:
    """Run the job on stdin; 0 when the engine is written, or the failure was reported."""
    report = events()
    job = from_json(BuildJob, sys.stdin.readline(), "the job")
    watch(find_backend(job.backend).title, report, _is_awaited)
    try:
        built = build(job, report)
    except CancelledError:
        return CANCELLED
    except EdgenerError as error:
        report({"event": "failed", "kind": type(error).__name__, "message": error.message, "hint": error.hint})
    else:
        report({"event": "built", "facts": to_json(built)})
    return 0


def build(job: BuildJob, report: Follow) -> Built:
    """Build an engine and write it to `job.engine`. Raises EdgenerError."""
    start = time.monotonic()
    trt = load_backend(job.backend, needs_gpu=not job.compute_capabilities)
    report({"event": "started", "version": trt.__version__, "process": os.getpid()})
    logger = make_logger(trt, report)
    builder = make(trt.Builder, logger)
    network, parser = parse_graph(trt, builder, logger, Path(job.onnx))
    config = builder.create_builder_config()
    inputs, outputs = tensors_of(network)
    add_profiles(builder, config, job.profiles, inputs)
    if job.compute_capabilities:
        target_capabilities(trt, config, job.compute_capabilities)
    apply_options(trt, builder, config, job.options)
    dla = None if job.options.dla_core is None else ask_dla(network, config, job.options.dla_core)
    plan = _serialized(trt, builder, network, config, job, report)
    write_atomic(Path(job.engine), bytes(plan))
    if job.layers:
        dump_layers(trt, logger, plan, Path(job.layers))
    del parser  # it has the weights that the network reads
    return Built(trt.__version__, inputs, outputs, round(time.monotonic() - start, 3), dla)


def _serialized(trt: Any, builder: Any, network: Any, config: Any, job: BuildJob, report: Follow) -> Any:
    """The engine's bytes. Raises ExportError if there are none, CancelledError if stdin was closed in the meantime."""
    file = _timing_cache(trt, job)
    cache = load_timing_cache(config, file, report) if file else None
    config.progress_monitor = monitor = make_monitor(trt, report, _is_awaited)
    plan = builder.build_serialized_network(network, config)
    if not _is_awaited():
        raise CancelledError("cancelled")
    if plan is None:
        raise ExportError(f"{find_backend(job.backend).title} built no engine of {Path(job.onnx).name}")
    if file:
        save_timing_cache(config, file)
    del cache, monitor  # TensorRT does not keep them alive
    return plan


def _timing_cache(trt: Any, job: BuildJob) -> Path | None:
    """The file of the timing cache; in a folder, that of this GPU and version."""
    if not job.timing_cache:
        return None
    file = Path(job.timing_cache)
    return timing_cache_file(file, trt.__version__, job.gpu or "gpu") if file.is_dir() else file


def _is_awaited() -> bool:
    """Whether the caller waits: nothing follows the job on stdin, so it is readable only when closed."""
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return not readable
