"""A session of TensorRT itself, without PyTorch and onnxruntime: the engine is checked, loaded and warmed up.

Tested with doubles of TensorRT and of CUDA's runtime; TensorRT was not run on a device yet.
"""

from __future__ import annotations

import contextlib
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.errors import BundleError, DeviceError, EdgenerError, UserInputError

from .backend import find_backend, load_backend, require_gpu
from .buffers import Buffer
from .contexts import EngineContext, EngineResources, synchronized
from .cudart import Cudart, load_cudart
from .engine import OUTPUT, EngineTensors, engine_tensors, load_engine, logger_of
from .paths import engine_file
from .profiles import Shape
from .shapes import fitting, lengths_of, shapes_of
from .sidecar import EngineTarget, Sidecar, check_sidecar, read_sidecar, rebuild_command

if TYPE_CHECKING:
    from edgener_runtime.backends.base import Feeds, Logits
    from edgener_runtime.bundle.manifest import VariantEntry

PROVIDER = "TensorRT"


@dataclass(frozen=True)
class Warmed:
    """A shape that was warmed up: milliseconds of its first run and of a later one, and why it has no CUDA graph."""

    rows: int
    subwords: int
    first_ms: float
    ms: float
    no_graph: str | None = None


def open_engine(bundle: Path, variant: VariantEntry) -> EngineSession:
    """A session of the engine that was prepared for a variant; the engine is checked before TensorRT loads it.

    Raises ProviderError where there is no GPU, no TensorRT or no engine, or the engine is for another GPU, TensorRT or
    model; BundleError where it is damaged. The hint is the next command.
    """
    rebuild = rebuild_command(bundle, variant.name)
    engine = engine_file(bundle, variant.name)
    backend = find_backend(read_sidecar(engine, rebuild).backend)
    _, gpu = require_gpu(backend)
    trt = load_backend(backend.name)
    target = EngineTarget(backend.name, trt.__version__, gpu.name, gpu.compute_capability)
    sidecar = check_sidecar(bundle, variant, target)
    library = f"{backend.title} {trt.__version__}"
    return EngineSession(trt, load_cudart(), engine.read_bytes(), library, rebuild, _has_host_code(sidecar))


def warm_up(bundle: Path, variant: VariantEntry) -> tuple[Warmed, ...]:
    """Run every shape that batches are padded to once, so that an engine's fault appears when it is prepared."""
    with contextlib.closing(open_engine(bundle, variant)) as session:
        return session.warmed


def _has_host_code(sidecar: Sidecar) -> bool:
    return sidecar.options.version_compatible and not sidecar.options.exclude_lean_runtime


class EngineSession:
    """A loaded engine on a stream of its own. Any number of threads may run it; their runs are queued."""

    provider = PROVIDER

    def __init__(
        self, trt: Any, cudart: Cudart, plan: bytes, library: str, rebuild: str, host_code: bool = False
    ) -> None:
        self.library = library
        self._rebuild = rebuild
        self._lock = threading.Lock()
        with ExitStack() as stack:
            runtime, engine = load_engine(trt, plan, rebuild, host_code)
            self.tensors = engine_tensors(trt, engine, rebuild)
            self._resources = _allocate(trt, cudart, engine, self.tensors, stack)
            self._contexts = [self._context(number, stack) for number in range(len(self.tensors.profiles))]
            lengths = lengths_of(self.tensors.profiles)
            self.shapes = shapes_of(self.tensors.profiles, lengths)
            self._captured: dict[Shape, EngineContext] = {}
            self.warmed = tuple(self._warm(length, stack) for length in lengths)
            self._runtime = runtime  # an engine must not outlive it
            self._held: ExitStack | None = stack.pop_all()

    @property
    def notes(self) -> tuple[str, ...]:
        """Which shapes run as CUDA graphs, and which could not be captured."""
        captured = [f"{each.rows}x{each.subwords}" for each in self.warmed if not each.no_graph]
        failed = [
            f"no CUDA graph for {each.rows}x{each.subwords}: {each.no_graph}" for each in self.warmed if each.no_graph
        ]
        return (f"CUDA graphs for {', '.join(captured)}", *failed) if captured else tuple(failed)

    def run(self, feeds: Feeds) -> Logits:
        """The logits (batch, subwords, labels) of a batch that one of the profiles takes.

        Raises DeviceError where none does or the run fails; UserInputError where the inputs differ in shape.
        """
        shape = self._shape_of(feeds)
        with self._lock:
            if self._held is None:
                raise EdgenerError("the session was closed", "Open it again.")
            return self._run(feeds, *shape)

    def _shape_of(self, feeds: Feeds) -> Shape:
        missing = sorted(set(self.tensors.inputs) - set(feeds))
        if missing:
            raise BundleError(
                f"the engine also takes {', '.join(missing)}, which the bundle does not give", self._rebuild
            )
        shapes = {name: feeds[name].shape for name in self.tensors.inputs}
        if len(set(shapes.values())) > 1:
            found = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
            raise UserInputError(f"the inputs differ in shape: {found}", "All inputs of one run have the same shape.")
        rows, subwords = next(iter(shapes.values()))
        return rows, subwords

    def _run(self, feeds: Feeds, rows: int, subwords: int) -> Logits:
        engine_context, shape = self._context_for(rows, subwords)
        engine_context.set_shape(shape)
        for name, buffer in self._resources.inputs.items():
            view = buffer.view(shape)
            view[:rows] = feeds[name]
            view[rows:] = feeds[name][-1]  # rows that fill the profile's smallest batch
        with synchronized(self._resources):
            engine_context.enqueue()
        logits: Logits = self._resources.logits.view((*shape, self.tensors.labels))[:rows].astype("float32")
        return logits

    def _context_for(self, rows: int, subwords: int) -> tuple[EngineContext, Shape]:
        found = fitting(self.tensors.profiles, rows, subwords)
        if found is None:
            takes = "; ".join(str(profile) for profile in self.tensors.profiles)
            raise DeviceError(
                f"a batch of {rows}x{subwords} is in none of the engine's profiles (min opt max): {takes}",
                f"Build it with a profile for that: {self._rebuild}",
            )
        number, shape = found
        return self._captured.get(shape, self._contexts[number]), shape

    def _warm(self, length: int, stack: ExitStack) -> Warmed:
        """Run the smallest batch of a length, and capture it in a context of its own, which keeps its shape."""
        rows = min(profile.minimum[0] for profile in self.tensors.profiles if profile.minimum[1] <= length)
        number, shape = fitting(self.tensors.profiles, rows, length) or (0, (rows, length))
        engine_context = self._context(number, stack)
        start = time.perf_counter()
        no_graph = engine_context.warm_up(shape)
        first = time.perf_counter()
        with synchronized(self._resources):
            engine_context.enqueue()
        self._captured[shape] = engine_context
        second = time.perf_counter()
        return Warmed(*shape, 1000 * (first - start), 1000 * (second - first), no_graph)

    def _context(self, profile: int, stack: ExitStack) -> EngineContext:
        engine_context = EngineContext(self._resources)
        stack.callback(engine_context.close)
        engine_context.use_profile(profile)
        return engine_context

    def close(self) -> None:
        """Wait for the run that is under way, then free contexts, graphs, buffers, stream and engine, once."""
        with self._lock:
            held, self._held = self._held, None
            if held is None:
                return
            held.close()
            self._captured.clear()
            self._contexts.clear()
            del self._resources, self._runtime


def _allocate(trt: Any, cudart: Cudart, engine: Any, tensors: EngineTensors, stack: ExitStack) -> EngineResources:
    """Stream, scratch memory and buffers, freed by `stack`; inputs are zero, which is a subword of every model."""
    stream = cudart.make_stream()
    stack.callback(cudart.destroy_stream, stream)
    size = max(1, int(engine.device_memory_size_v2))
    scratch = cudart.allocate(size)
    stack.callback(cudart.free, scratch)
    subwords = tensors.most_subwords
    inputs = {name: stack.enter_context(Buffer(cudart, dtype, subwords)) for name, dtype in tensors.inputs.items()}
    for buffer in inputs.values():
        buffer.view((subwords,))[:] = 0
    logits = stack.enter_context(Buffer(cudart, tensors.output, subwords * tensors.labels))
    messages = logger_of(trt)[1]
    return EngineResources(
        trt, engine, cudart, stream, (scratch, size), inputs, OUTPUT, logits, tensors.labels, messages
    )
