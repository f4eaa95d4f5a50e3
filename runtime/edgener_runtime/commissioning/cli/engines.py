"""Options of the commands that build engines, their progress bar and their output."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from edgener_runtime.backends.tensorrt.backend import BACKENDS, find_backend
from edgener_runtime.backends.tensorrt.options import COMPATIBILITY, LEVELS, POOLS, VERBOSITY, EngineOptions, parse_size
from edgener_runtime.backends.tensorrt.paths import engine_file
from edgener_runtime.backends.tensorrt.profiles import (
    BATCH,
    SENTENCE,
    Profile,
    check_profiles,
    profiles_by_hand,
    profiles_for,
    window_lengths,
)
from edgener_runtime.backends.tensorrt.sidecar import Sidecar
from edgener_runtime.base.process import Event
from edgener_runtime.bundle.manifest import Manifest, VariantEntry
from edgener_runtime.cli.console import write_line
from edgener_runtime.commissioning.engines.build import BuildRequest, build_engine, check_variant
from edgener_runtime.errors import UserInputError
from edgener_runtime.machine.devices import TENSORRT
from edgener_runtime.text.inputs import FORMATS, read_records

if TYPE_CHECKING:
    from edgener_runtime.backends.tensorrt.session import Warmed

Command = Callable[..., Any]
Options = tuple[Callable[[Command], Command], ...]
_TEXTS = 2048  # of an input file
_NOT_RUN: Mapping[str, tuple[Warmed, ...]] = MappingProxyType({})
_FLAG_HELPS = {
    "version_compatible": "Load with later TensorRT versions of the same major, too.",
    "exclude_lean_runtime": "Leave the lean runtime out of a version-compatible engine.",
    "strip_weights": "Leave the weights out; the engine has to be refitted before it runs.",
    "refit": "Let the weights be changed later.",
    "tf32": "Let FP32 products round to TF32, TensorRT's own default.",
    "sparse_weights": "Use 2:4 sparsity where the weights have it.",
    "gpu_fallback": "Let layers that the DLA does not support run on the GPU.",
}


@dataclass(frozen=True)
class ShapeOptions:
    """Explicit profiles in trtexec's notation, or the texts and the batch size that determine them."""

    min_shapes: tuple[str, ...]
    opt_shapes: tuple[str, ...]
    max_shapes: tuple[str, ...]
    batch: int
    source: str | None
    form: str


def _shape(name: str, what: str) -> Callable[[Command], Command]:
    return click.option(
        f"--{name}-shapes", f"--{name}Shapes", f"{name}_shapes", multiple=True, metavar="SHAPES", help=what
    )


_SHAPES: Options = (
    _shape("min", "Smallest shapes: 1x1, or input_ids:1x1,attention_mask:1x1; once for each profile."),
    _shape("opt", "Most likely shapes, at which the engine is fastest."),
    _shape("max", "Largest shapes."),
    click.option(
        "--batch", type=click.IntRange(1), default=BATCH, show_default=True, help="Rows of the larger of two profiles."
    ),
    click.option(
        "--input", "source", metavar="FILE",
        help=f"Texts like those in production; their lengths set the profiles [default: {SENTENCE} subwords].",
    ),
    click.option(
        "--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True, help="Format of the input."
    ),
)  # fmt: skip
_BUILDING: Options = (
    click.option("--workspace", metavar="SIZE", help="Workspace memory of a layer, such as 512M."),
    click.option(
        "--memory-pool", "pools", multiple=True, metavar="POOL=SIZE", help=f"Limit of one of: {', '.join(POOLS)}."
    ),
    click.option(
        "--timing-cache", type=click.Path(path_type=Path),
        help="Timing cache to read and to write [default: beside the engine, for this GPU and version].",
    ),
    click.option(
        "--builder-optimization-level", type=click.IntRange(LEVELS[0], LEVELS[-1]), help="Effort of the search."
    ),
    click.option(
        "--hardware-compatibility", type=click.Choice(tuple(COMPATIBILITY)), default="none", show_default=True,
        help="Other GPUs that the engine must run on.",
    ),
    *(click.option(f"--{name.replace('_', '-')}", is_flag=True, help=text) for name, text in _FLAG_HELPS.items()),
    click.option("--dla-core", type=click.IntRange(0), help="Run on this DLA of a Jetson (AGX Orin, TensorRT 11.4.1)."),
    click.option("--max-aux-streams", type=click.IntRange(0), help="Additional streams of a run."),
    click.option("--average-timings", type=click.IntRange(1), help="Runs per timing."),
    click.option(
        "--profiling-verbosity", type=click.Choice(tuple(VERBOSITY)), default="layer-names", show_default=True,
        help="Detail of the engine's layer information.",
    ),
)  # fmt: skip
_TARGET: Options = (
    click.option(
        "--backend", type=click.Choice(tuple(BACKENDS)), default="tensorrt", show_default=True, help="Builder."
    ),
    click.option(
        "--compute-capability", "capabilities", multiple=True, metavar="X.Y",
        help="Build for a GPU that is not here, such as 8.6; repeatable, only with tensorrt-rtx.",
    ),
)  # fmt: skip


def engine_options(command: Command) -> Command:
    """Options of the build; the command gets `shapes`, a ShapeOptions, and `request`, a BuildRequest."""

    @functools.wraps(command)
    def with_options(
        *, backend: str, capabilities: tuple[str, ...], workspace: str | None, pools: tuple[str, ...],
        timing_cache: Path | None, **parameters: Any,
    ) -> Any:  # fmt: skip
        shapes = ShapeOptions(**{field.name: parameters.pop(field.name) for field in fields(ShapeOptions)})
        chosen = {name: parameters.pop(name) for name in EngineOptions.__dataclass_fields__ if name in parameters}
        options = EngineOptions(pools=_pools(workspace, pools), **chosen)
        return command(shapes=shapes, request=BuildRequest(backend, options, capabilities, timing_cache), **parameters)

    decorated: Command = with_options
    for option in reversed((*_TARGET, *_SHAPES, *_BUILDING)):
        decorated = option(decorated)
    return decorated


def _pools(workspace: str | None, pools: Sequence[str]) -> dict[str, int]:
    given = [f"workspace={workspace}"] * (workspace is not None) + list(pools)
    return {name: parse_size(size) for name, _, size in (pool.partition("=") for pool in given)}


def chosen_variants(manifest: Manifest, variant: str) -> tuple[VariantEntry, ...]:
    """The variants to build: the named one, the first in the manifest that TensorRT can run (auto), or all of these.

    Raises ProviderError if TensorRT cannot run one, UserInputError for an unknown name.
    """
    if variant not in ("auto", "all"):
        check_variant(manifest.variant(variant))
        return (manifest.variant(variant),)
    found = [entry for entry in manifest.variants if TENSORRT in entry.requirements.providers]
    if not found:
        check_variant(manifest.variants[0])
    return tuple(found if variant == "all" else found[:1])


def profiles_of(bundle: Path, manifest: Manifest, shapes: ShapeOptions) -> tuple[Profile, ...]:
    """The explicit profiles, or those of the texts; checked. Raises UserInputError."""
    tokenizer = manifest.tokenizer
    by_hand = shapes.min_shapes, shapes.opt_shapes, shapes.max_shapes
    if any(by_hand) and shapes.source:
        raise UserInputError("profiles come from --input or from shapes, not from both", "Leave one of them out.")
    if any(by_hand):
        profiles = profiles_by_hand(*by_hand, tokenizer.inputs)
    else:
        profiles = profiles_for(_lengths(bundle, manifest, shapes), tokenizer.max_length, shapes.batch)
    check_profiles(profiles, tokenizer.max_length)
    return profiles


def _lengths(bundle: Path, manifest: Manifest, shapes: ShapeOptions) -> list[int]:
    if not shapes.source:
        return []
    from edgener_runtime.text.tokenize import TextTokenizer

    texts = [record["text"] for record in islice(read_records(shapes.source, shapes.form), _TEXTS)]
    return window_lengths(TextTokenizer(bundle / manifest.tokenizer.file, manifest.tokenizer), texts)


def build_all(
    bundle: Path, entries: Sequence[VariantEntry], profiles: Sequence[Profile], request: BuildRequest, verbose: bool,
    build: Callable[..., Sidecar] = build_engine,
) -> list[Sidecar]:  # fmt: skip
    """Build the engine of each variant with `build`; progress bars on stderr."""
    built = []
    for entry in entries:
        with _Progress(f"building {entry.name}", verbose) as progress:
            built.append(build(bundle, entry, profiles, request, progress.follow))
    return built


def print_engines(
    bundle: Path, built: Sequence[Sidecar], as_json: bool, warmed: Mapping[str, tuple[Warmed, ...]] = _NOT_RUN
) -> None:
    """Print the engines and the shapes that ran, by variant: as JSON, or in a few lines each."""
    if as_json:
        ran = {name: [asdict(shape) for shape in shapes] for name, shapes in warmed.items()}
        rows = [{**asdict(sidecar), "warmed": ran.get(sidecar.variant, [])} for sidecar in built]
        write_line(json.dumps(rows, indent=2))
        return
    for sidecar in built:
        for line in (*_lines(bundle, sidecar), *map(_ran, warmed.get(sidecar.variant, ()))):
            write_line(line)


def _ran(shape: Warmed) -> str:
    why = f"; no CUDA graph: {shape.no_graph}" if shape.no_graph else ""
    return f"  ran {shape.rows}x{shape.subwords} in {shape.ms:.2f} ms, at first in {shape.first_ms:.0f} ms{why}"


def _lines(bundle: Path, sidecar: Sidecar) -> list[str]:
    title = find_backend(sidecar.backend).title
    target = f"on {sidecar.gpu}" if sidecar.gpu else f"for compute capability {', '.join(sidecar.compute_capabilities)}"
    size = f"{sidecar.engine_size / 1e6:.1f} MB in {sidecar.seconds:.1f} s"
    lines = [f"{engine_file(bundle, sidecar.variant)}: built by {title} {sidecar.version} {target}, {size}"]
    lines += [f"  profile {number}: {profile}" for number, profile in enumerate(sidecar.profiles)]
    if sidecar.dla:
        lines.append(f"  DLA core {sidecar.dla.core} runs {sidecar.dla.on_dla} of {sidecar.dla.layers} layers")
    if sidecar.options.strip_weights:
        lines.append("  not run: it has no weights until it is refitted")
    if not sidecar.gpu:
        lines.append("  parsed and built, not run: check it on the device with edgener-runtime selftest")
    return lines


class _Progress:
    """A bar of a build's outermost phase; with `verbose`, TensorRT's warnings above it."""

    def __init__(self, label: str, verbose: bool) -> None:
        self._label = label
        self._verbose = verbose
        self._bar: Any = None
        self._phase: str | None = None

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def follow(self, event: Event) -> None:
        """Update the bar for an event of the build."""
        kind = event["event"]
        if kind == "phase" and event["parent"] is None:
            self._end()
            self._phase = event["name"]
            self._bar = click.progressbar(length=event["steps"], label=self._label, file=sys.stderr).__enter__()
        elif kind == "step" and event["name"] == self._phase:
            self._bar.update(1)
        elif kind == "log" and (self._verbose or event["severity"] not in ("WARNING", "INFO", "VERBOSE")):
            click.echo(f"{event['severity'].lower()}: {event['message']}", err=True)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
