"""An engine run by TensorRT itself: no PyTorch, no onnxruntime; checked first, warmed up, and freed to the last byte.

Held against doubles of TensorRT and of CUDA's runtime; TensorRT was not run on a device yet.
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
from .contexts import Lane, Rails, heat, settled
from .cudart import Cudart, load_cudart
from .engine import OUTPUT, Form, form_of, load_engine, logger_of
from .paths import engine_file
from .profiles import Shape
from .shapes import fitting, lengths_of, shapes_of
from .sidecar import Here, Sidecar, check_sidecar, read_sidecar, rebuild_command

if TYPE_CHECKING:
    from edgener_runtime.backends.base import Feeds, Logits
    from edgener_runtime.bundle.manifest import VariantEntry

PROVIDER = "TensorRT"


@dataclass(frozen=True)
class Warmed:
    """A shape that was warmed up: milliseconds of its first run and of one after, and why it has no graph, if so."""

    rows: int
    subwords: int
    first_ms: float
    ms: float
    no_graph: str | None = None


def open_engine(bundle: Path, variant: VariantEntry) -> DirectSession:
    """A session of the engine that was prepared for a variant, checked before TensorRT sees it.

    Raises ProviderError where there is no GPU, no TensorRT, no engine, or one for another of these; BundleError where
    the engine was damaged; the hint is the next command.
    """
    rebuild = rebuild_command(bundle, variant.name)
    engine = engine_file(bundle, variant.name)
    backend = find_backend(read_sidecar(engine, rebuild).backend)
    _, gpu = require_gpu(backend)
    trt = load_backend(backend.name)
    here = Here(backend.name, trt.__version__, gpu.name, gpu.compute_capability)
    sidecar = check_sidecar(bundle, variant, here)
    library = f"{backend.title} {trt.__version__}"
    return DirectSession(trt, load_cudart(), engine.read_bytes(), library, rebuild, _brings_code(sidecar))


def warm_up(bundle: Path, variant: VariantEntry) -> tuple[Warmed, ...]:
    """Run every shape that an engine is padded to once, so that a fault of it is seen when it is prepared."""
    with contextlib.closing(open_engine(bundle, variant)) as session:
        return session.warmed


def _brings_code(sidecar: Sidecar) -> bool:
    return sidecar.options.version_compatible and not sidecar.options.exclude_lean_runtime


class DirectSession:
    """A loaded engine on a stream of its own. Any number of threads may run it; their runs stand in line."""

    provider = PROVIDER

    def __init__(
        self, trt: Any, cudart: Cudart, plan: bytes, library: str, rebuild: str, host_code: bool = False
    ) -> None:
        self.library = library
        self._rebuild = rebuild
        self._lock = threading.Lock()
        with ExitStack() as stack:
            runtime, engine = load_engine(trt, plan, rebuild, host_code)
            self.form = form_of(trt, engine, rebuild)
            self._rails = _lay(trt, cudart, engine, self.form, stack)
            self._lanes = [self._lane(number, stack) for number in range(len(self.form.profiles))]
            lengths = lengths_of(self.form.profiles)
            self.shapes = shapes_of(self.form.profiles, lengths)
            self._hot: dict[Shape, Lane] = {}
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

        Raises DeviceError where none does, or the run breaks off; UserInputError for inputs of several shapes.
        """
        shape = self._shape_of(feeds)
        with self._lock:
            if self._held is None:
                raise EdgenerError("the session was closed", "Open it again.")
            return self._run(feeds, *shape)

    def _shape_of(self, feeds: Feeds) -> Shape:
        missing = sorted(set(self.form.inputs) - set(feeds))
        if missing:
            raise BundleError(
                f"the engine also takes {', '.join(missing)}, which the bundle does not give", self._rebuild
            )
        shapes = {name: feeds[name].shape for name in self.form.inputs}
        if len(set(shapes.values())) > 1:
            told = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
            raise UserInputError(f"the inputs differ in shape: {told}", "All inputs of one run have the same shape.")
        rows, subwords = next(iter(shapes.values()))
        return rows, subwords

    def _run(self, feeds: Feeds, rows: int, subwords: int) -> Logits:
        lane, shape = self._lane_for(rows, subwords)
        lane.take(shape)
        for name, buffer in self._rails.inputs.items():
            view = buffer.view(shape)
            view[:rows] = feeds[name]
            view[rows:] = feeds[name][-1]  # rows that a profile wants and nobody asked for
        with settled(self._rails):
            lane.put()
        logits: Logits = self._rails.logits.view((*shape, self.form.labels))[:rows].astype("float32")
        return logits

    def _lane_for(self, rows: int, subwords: int) -> tuple[Lane, Shape]:
        found = fitting(self.form.profiles, rows, subwords)
        if found is None:
            takes = "; ".join(str(profile) for profile in self.form.profiles)
            raise DeviceError(
                f"a batch of {rows}x{subwords} is in none of the engine's profiles (min opt max): {takes}",
                f"Build it with a profile for that: {self._rebuild}",
            )
        number, shape = found
        return self._hot.get(shape, self._lanes[number]), shape

    def _warm(self, length: int, stack: ExitStack) -> Warmed:
        """Run the least batch of a length, and capture it in a context of its own: a graph is lost with its shape."""
        rows = min(profile.minimum[0] for profile in self.form.profiles if profile.minimum[1] <= length)
        number, shape = fitting(self.form.profiles, rows, length) or (0, (rows, length))
        lane = self._lane(number, stack)
        begun = time.perf_counter()
        no_graph = heat(lane, self._rails, shape)
        warm = time.perf_counter()
        with settled(self._rails):
            lane.put()
        self._hot[shape] = lane
        now = time.perf_counter()
        return Warmed(*shape, 1000 * (warm - begun), 1000 * (now - warm), no_graph)

    def _lane(self, profile: int, stack: ExitStack) -> Lane:
        lane = Lane(self._rails)
        stack.callback(lane.close)
        lane.enter(profile)
        return lane

    def close(self) -> None:
        """Free contexts, graphs, buffers, stream and engine, once; what runs is waited for."""
        with self._lock:
            held, self._held = self._held, None
            if held is None:
                return
            held.close()
            self._hot.clear()
            self._lanes.clear()
            del self._rails, self._runtime


def _lay(trt: Any, cudart: Cudart, engine: Any, form: Form, stack: ExitStack) -> Rails:
    """Stream, scratch memory and buffers, to be freed by `stack`; inputs are zero, which is a subword of any model."""
    stream = cudart.make_stream()
    stack.callback(cudart.destroy_stream, stream)
    size = max(1, int(engine.device_memory_size_v2))
    scratch = cudart.allocate(size)
    stack.callback(cudart.free, scratch)
    inputs = {name: stack.enter_context(Buffer(cudart, dtype, form.room)) for name, dtype in form.inputs.items()}
    for buffer in inputs.values():
        buffer.view((form.room,))[:] = 0
    logits = stack.enter_context(Buffer(cudart, form.output, form.room * form.labels))
    return Rails(trt, engine, cudart, stream, (scratch, size), inputs, OUTPUT, logits, form.labels, logger_of(trt)[1])
