"""A session of onnxruntime that runs on the requested provider and on no other."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.backends.base import Model, Tuning
from edgener_runtime.base.memory import map_large_blocks, require_memory
from edgener_runtime.bundle.graph import OUTPUT
from edgener_runtime.errors import BundleError, DeviceError, EdgenerError, ProviderError, StorageError, TextError
from edgener_runtime.machine.devices import CPU, Device
from edgener_runtime.machine.operators import PACKAGE, operators_library, operators_note
from edgener_runtime.version import version_numbers

from .cuda_graphs import REFUSED, GraphedRuns
from .io_binding import run_with_io_binding
from .library import load_onnxruntime
from .options import CACHE, GRAPHS, provider_options, ragged_shapes

if TYPE_CHECKING:
    from edgener_runtime.backends.base import Feeds, Logits

_ERRORS_ONLY, _NOTHING = 3, 4  # of onnxruntime's log
_COPIES = 3  # of a model in memory while it is loaded: the file's, what was read of it, and one for this CPU
# what its Gather says of an index beyond the table
_NO_EMBEDDING = re.compile(r"indices element out of data bounds, idx=(\d+) must be within .* range \[-\d+,(\d+)\]")
_NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "out of memory")
# The classes that onnxruntime raises for a faulty file; others are faults of the provider.
_FILE_ERRORS = {"InvalidProtobuf", "InvalidGraph", "NoModel", "NoSuchFile"}


class OnnxSession:
    """An onnxruntime.InferenceSession on one provider; on a GPU with I/O binding, and on CUDA with graphs of single
    texts.

    Raises BundleError where the file is not a model, ProviderError where another provider came up, DeviceError where
    there is too little memory.
    """

    def __init__(self, model: Model, device: Device, tuning: Tuning) -> None:
        onnxruntime = load_onnxruntime()
        _require_version(model, device, onnxruntime.__version__)
        self.library = f"onnxruntime {onnxruntime.__version__}"
        self.shapes, options = provider_options(model, device)
        self.notes: tuple[str, ...] = ()
        if model.variant.requirements.operators:
            self.notes = (operators_note(),)
        log = _preload(onnxruntime) if device.provider != CPU else ""
        self._session: Any
        self._session, no_graphs = _create(onnxruntime, model, device, tuning, options)
        if self.provider != device.provider:  # onnxruntime falls back to the CPU with no more than a log line
            raise ProviderError(_fallback(device.provider, self.provider, log), _install_command(device))
        if model.variant.requirements.operators:
            self.shapes = ragged_shapes(self._session)
        self._graphs: GraphedRuns | None = None
        # a method of this object would keep it, and the model with it, until the garbage collector comes by
        run = _run if device.provider == CPU else run_with_io_binding
        self._runner: Callable[[Feeds], Logits] = partial(run, self._session)
        if no_graphs:
            self.notes = (f"no CUDA graph: {no_graphs}",)
        elif GRAPHS in options:
            self._graphs = self._capture(onnxruntime, model)
            self._runner = self._graphs.run
            self.notes = (f"CUDA graphs for texts alone, padded to {', '.join(map(str, self._graphs.lengths))}",)

    @property
    def provider(self) -> str:
        """The provider that came up, as the session reports it."""
        return str(self._session.get_providers()[0])

    def run(self, feeds: Feeds) -> Logits:
        """The logits (batch, subwords, labels).

        Raises DeviceError where the run fails, TextError where the model has no embedding for a subword or position.
        """
        try:
            return self._runner(feeds)
        except Exception as error:  # onnxruntime raises a class of its own for every status
            raise _run_error(error) from error

    def _capture(self, onnxruntime: Any, model: Model) -> GraphedRuns:
        try:
            return GraphedRuns(onnxruntime, self._session, model.inputs, model.max_length)
        except Exception as error:  # onnxruntime raises a class of its own for every status
            raise DeviceError(
                f"onnxruntime failed in its first runs: {error}", "Free some memory, or try another variant."
            ) from error

    def close(self) -> None:
        """Free the graphs; onnxruntime frees the session when its last run has ended and nothing refers to it."""
        if self._graphs:
            self._graphs.close()


def _require_version(model: Model, device: Device, installed: str) -> None:
    """Raise ProviderError where the installed onnxruntime is older than the one that the manifest says."""
    needed = model.variant.requirements.onnxruntime
    if version_numbers(installed) < version_numbers(needed):
        raise ProviderError(
            f"variant {model.variant.name} needs onnxruntime {needed} or newer; {installed} is installed",
            f'pip install --upgrade "onnxruntime>={needed}"' if device.provider == CPU else _install_command(device),
        )


def _run_error(error: Exception) -> EdgenerError:
    if found := _NO_EMBEDDING.search(str(error)):
        return TextError(
            "the model has no embedding for a subword of the text, or for its length: "
            f"found {found[1]}, expected 0 to {found[2]}",
            "Export the bundle again from a checkpoint whose embeddings fit its tokenizer and maximum length.",
        )
    if isinstance(error, MemoryError) or any(text in str(error) for text in _NO_MEMORY):
        return DeviceError(
            f"there is not enough memory for a run: {error}", "Free some memory, or try a smaller variant."
        )
    return DeviceError(f"onnxruntime failed: {error}", "Try another variant or device.")


def _run(session: Any, feeds: Feeds) -> Logits:
    logits: Logits = session.run([OUTPUT], feeds)[0]
    return logits


def _preload(onnxruntime: Any) -> str:
    """Load the CUDA and cuDNN libraries of NVIDIA's wheels, which no loader finds, before the provider needs them.

    Returns onnxruntime's messages about those it does not find, which it would print among our results.
    """
    # without it, 1.31 warns on stderr at every session about a plugin that CUDAExecutionProvider does not need
    onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
    log = io.StringIO()
    if preload := getattr(onnxruntime, "preload_dlls", None):
        with contextlib.redirect_stdout(log):
            preload()
    return log.getvalue()


def _fallback(requested: str, found: str, log: str) -> str:
    failed = [line for line in log.splitlines() if line.startswith("Failed to load")]
    why = failed[0] if failed else "its libraries or the driver are missing"
    return f"{requested} was asked for, {found} came up: {why}"


def _create(onnxruntime: Any, model: Model, device: Device, tuning: Tuning, options: dict[str, str]) -> tuple[Any, str]:
    """The session, and why it cannot capture graphs, where the options ask for them."""
    if folder := options.get(CACHE):
        _make_folder(Path(folder))
    require_memory(_COPIES * model.variant.file.size, f"loading {model.file}")
    map_large_blocks()
    graph = model.read_graph()
    settings = _settings(onnxruntime, tuning)
    if model.variant.requirements.operators:
        _register_operators(settings)
    # where a run fails or graphs are refused, the exception or `notes` say so, and no line on stderr is needed
    settings.log_severity_level = _NOTHING if GRAPHS in options or device.provider == CPU else _ERRORS_ONLY
    try:
        session = onnxruntime.InferenceSession(
            graph, settings,
            providers=[(device.provider, options)] if options else [device.provider],
            disabled_optimizers=list(model.variant.disabled_optimizers),
            enable_fallback=False,  # to the CPU, when it is opened or in the middle of a run
        )  # fmt: skip
        session._model_bytes = None  # it would keep them for a fallback
    except Exception as error:  # onnxruntime raises a class of its own for every status
        if GRAPHS in options and REFUSED in str(error):
            without = {name: value for name, value in options.items() if name != GRAPHS}
            return _create(onnxruntime, model, device, tuning, without)[0], str(error)
        raise _mapped(error, onnxruntime.__version__, model, device, options) from error
    return session, ""


def _settings(onnxruntime: Any, tuning: Tuning) -> Any:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = tuning.threads
    settings.inter_op_num_threads = 1
    settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(tuning.spinning)))
    # without it, threads spin on after a run, and take a core from other work
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    return settings


def _register_operators(settings: Any) -> None:
    library = operators_library()
    try:
        settings.register_custom_ops_library(str(library))
    except Exception as error:  # onnxruntime raises a class of its own for every status
        raise ProviderError(
            f"onnxruntime cannot use the operators of {PACKAGE}: {error}",
            f"Install it again: pip install --force-reinstall {PACKAGE}",
        ) from error


def _install_command(device: Device) -> str:
    from edgener_runtime.machine.probe.record import install_command  # loads the whole probe: not for every start

    return install_command(device.name)


def _or_remove(cache: str | None) -> str:
    """The second fix, where the folder has engines."""
    if cache is None or not any(Path(cache).iterdir()):
        return ""
    return f"\nOr, if an engine in the cache is damaged: rm -r {shlex.quote(cache)}"


def _make_folder(folder: Path) -> None:
    """onnxruntime makes only the last folder of the path."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot write {folder}: {error.strerror}", "Engines are stored there: make the path writable."
        ) from None


def _mapped(error: Exception, version: str, model: Model, device: Device, options: dict[str, str]) -> EdgenerError:
    if any(text in str(error) for text in _NO_MEMORY):
        return DeviceError(
            f"there is not enough memory to load {model.file}", "Free some memory, or try a smaller variant."
        )
    if device.provider != CPU and type(error).__name__ not in _FILE_ERRORS:
        return ProviderError(
            f"{device.provider} did not come up for {model.file}: {error}",
            _install_command(device) + _or_remove(options.get(CACHE)),
        )
    return BundleError(
        f"onnxruntime {version} cannot load {model.file}: {error}",
        f"It needs onnxruntime {model.variant.requirements.onnxruntime} or newer; else export the bundle again.",
    )
