"""A session of onnxruntime that runs on the provider asked for and on no other."""

from __future__ import annotations

import contextlib
import io
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.backends.base import Model, Tuning
from edgener_runtime.base.memory import require_memory
from edgener_runtime.errors import BundleError, DeviceError, EdgenerError, ProviderError, StorageError
from edgener_runtime.machine.devices import CPU, Device

from .cuda_graphs import REFUSED, GraphedRuns
from .io_binding import OUTPUT, run_bound
from .library import load_onnxruntime
from .options import CACHE, GRAPHS, provider_options

if TYPE_CHECKING:
    from edgener_runtime.backends.base import Feeds, Logits

_ERRORS_ONLY, _NOTHING = 3, 4  # of onnxruntime's log
_COPIES = 2  # of a model in memory while it is loaded: the file's and the one laid out for this CPU
_NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "out of memory")
# The classes onnxruntime raises where the file is at fault, and not the provider.
_OF_THE_FILE = {"InvalidProtobuf", "InvalidGraph", "NoModel", "NoSuchFile"}


class OnnxSession:
    """An onnxruntime.InferenceSession on one provider; on a GPU its inputs and logits are bound, so none moves twice,
    and CUDA runs texts alone as graphs.

    Raises BundleError where the file is no model, ProviderError where another provider came up, DeviceError where there
    is too little memory.
    """

    def __init__(self, model: Model, device: Device, tuning: Tuning) -> None:
        onnxruntime = load_onnxruntime()
        self.library = f"onnxruntime {onnxruntime.__version__}"
        self.shapes, options = provider_options(model, device)
        self.notes: tuple[str, ...] = ()
        said = _make_ready(onnxruntime) if device.provider != CPU else ""
        self._session: Any
        self._session, no_graphs = _create(onnxruntime, model, device, tuning, options)
        if self.provider != device.provider:  # onnxruntime falls back to the CPU with no more than a log line
            raise ProviderError(_came_up(device.provider, self.provider, said), _install_command(device))
        self._graphs: GraphedRuns | None = None
        self._way: Callable[[Feeds], Logits] = self._run if device.provider == CPU else self._run_bound
        if no_graphs:
            self.notes = (f"no CUDA graph: {no_graphs}",)
        elif GRAPHS in options:
            self._graphs = self._capture(onnxruntime, model)
            self._way = self._graphs.run
            self.notes = (f"CUDA graphs for texts alone, padded to {', '.join(map(str, self._graphs.lengths))}",)

    @property
    def provider(self) -> str:
        """The one that came up, asked of the session."""
        return str(self._session.get_providers()[0])

    def run(self, feeds: Feeds) -> Logits:
        """The logits (batch, subwords, labels). Raises DeviceError where the run breaks off."""
        try:
            return self._way(feeds)
        except Exception as error:  # onnxruntime raises a class of its own for every status
            raise DeviceError(
                f"onnxruntime broke off: {error}", "Free some memory, or try another variant or device."
            ) from error

    def _run(self, feeds: Feeds) -> Logits:
        logits: Logits = self._session.run([OUTPUT], feeds)[0]
        return logits

    def _run_bound(self, feeds: Feeds) -> Logits:
        return run_bound(self._session, feeds)

    def _capture(self, onnxruntime: Any, model: Model) -> GraphedRuns:
        try:
            return GraphedRuns(onnxruntime, self._session, model.inputs, model.max_length)
        except Exception as error:  # onnxruntime raises a class of its own for every status
            raise DeviceError(
                f"onnxruntime broke off in its first runs: {error}", "Free some memory, or try another variant."
            ) from error

    def close(self) -> None:
        """Give graphs back; onnxruntime frees the session when its last run has ended and nobody holds it."""
        if self._graphs:
            self._graphs.close()


def _make_ready(onnxruntime: Any) -> str:
    """Load the CUDA and cuDNN libraries of NVIDIA's wheels, which no loader finds, before the provider wants them.

    Returns what onnxruntime says of those it does not find; it would print it among our results.
    """
    # else 1.31 warns on stderr, at every session, of a plugin that CUDAExecutionProvider does without
    onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
    said = io.StringIO()
    if preload := getattr(onnxruntime, "preload_dlls", None):
        with contextlib.redirect_stdout(said):
            preload()
    return said.getvalue()


def _came_up(asked: str, came: str, said: str) -> str:
    failed = [line for line in said.splitlines() if line.startswith("Failed to load")]
    why = failed[0] if failed else "its libraries or the driver are missing"
    return f"{asked} was asked for, {came} came up: {why}"


def _create(onnxruntime: Any, model: Model, device: Device, tuning: Tuning, options: dict[str, str]) -> tuple[Any, str]:
    """The session, and why it can capture no graphs, where that was among the options."""
    if folder := options.get(CACHE):
        _make_folder(Path(folder))
    require_memory(_COPIES * model.variant.file.size, f"loading {model.file}")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = tuning.threads
    settings.inter_op_num_threads = 1
    settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(tuning.spinning)))
    # else its threads go on spinning after a run, and take a core from whoever is next
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    # where graphs are refused, that is told in `notes` and needs no line on stderr
    settings.log_severity_level = _NOTHING if GRAPHS in options else _ERRORS_ONLY
    try:
        session = onnxruntime.InferenceSession(
            str(model.file), settings,
            providers=[(device.provider, options)] if options else [device.provider],
            disabled_optimizers=list(model.variant.disabled_optimizers),
            enable_fallback=False,  # to the CPU, when it is opened and in the midst of a run
        )  # fmt: skip
    except Exception as error:  # onnxruntime raises a class of its own for every status
        if GRAPHS in options and REFUSED in str(error):
            without = {name: value for name, value in options.items() if name != GRAPHS}
            return _create(onnxruntime, model, device, tuning, without)[0], str(error)
        raise _told(error, onnxruntime.__version__, model, device, options) from error
    return session, ""


def _install_command(device: Device) -> str:
    from edgener_runtime.machine.probe.record import install_command  # loads the whole probe: not for every start

    return install_command(device.name)


def _or_remove(cache: str | None) -> str:
    """The other way out, where engines were kept in a folder."""
    if cache is None or not any(Path(cache).iterdir()):
        return ""
    return f"\nOr, if an engine that was kept is damaged: rm -r {shlex.quote(cache)}"


def _make_folder(folder: Path) -> None:
    """onnxruntime makes the last of the path alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot write {folder}: {error.strerror}", "Engines are kept there: free its way."
        ) from None


def _told(error: Exception, version: str, model: Model, device: Device, options: dict[str, str]) -> EdgenerError:
    if any(said in str(error) for said in _NO_MEMORY):
        return DeviceError(
            f"there is not enough memory to load {model.file}", "Free some memory, or try a smaller variant."
        )
    if device.provider != CPU and type(error).__name__ not in _OF_THE_FILE:
        return ProviderError(
            f"{device.provider} did not come up for {model.file}: {error}",
            _install_command(device) + _or_remove(options.get(CACHE)),
        )
    return BundleError(
        f"onnxruntime {version} cannot load {model.file}: {error}",
        f"It needs onnxruntime {model.variant.requirements.onnxruntime} or newer; else export the bundle again.",
    )
