"""Options that several commands share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener_runtime.decoding.entity import AGGREGATIONS, Decoding
from edgener_runtime.decoding.offsets import OFFSETS
from edgener_runtime.machine.cpu import usable_cores
from edgener_runtime.machine.devices import AUTO, DEVICES, NOT_RUN

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

Command = Callable[..., Any]


class ThreadCount(click.IntRange):
    """A number of threads, at most one for each core that this process may use: with more, each run takes longer."""

    def __init__(self) -> None:
        super().__init__(min=1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number. Raises UsageError where it is not one, or too large for this machine."""
        count: int = super().convert(value, param, ctx)
        if count > (cores := usable_cores()):
            self.fail(f"{count} threads for {cores} cores that this process may use", param, ctx)
        return count


class FiniteRange(click.FloatRange):
    """A number within bounds; click lets NaN through any of them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number. Raises UsageError where it is not one, out of bounds, or not finite."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


_NOT_RUN = ", ".join(device.name for device in DEVICES.values() if not device.proven)
_DECODING = (
    click.option(
        "--aggregation", type=click.Choice(AGGREGATIONS),
        help="How subwords become entities: single, grouped, or by the first, mean or surest subword of each word "
        "[default: the bundle's; simple, unless its thresholds hold for another].",
    ),
    click.option("--strict", is_flag=True, help="Use the most likely sequence of labels that the label scheme allows."),
    click.option(
        "--threshold", "thresholds", multiple=True, metavar="LABEL=SCORE",
        help="Omit entities of this label with a lower score, in place of the bundle's thresholds; repeatable.",
    ),
    click.option("--no-thresholds", is_flag=True, help="Omit no entity for its score, also where the bundle would."),
    click.option(
        "--offsets", type=click.Choice(OFFSETS), default="characters", show_default=True,
        help="Unit of the entities' start and end.",
    ),
)  # fmt: skip
require_signature_option = click.option(
    "--require-signature", metavar="KEYS", type=click.Path(path_type=Path),
    help="Refuse a bundle that is not signed by one of these public keys (PEM), or as a policy (JSON) says.",
)  # fmt: skip
_LOADING = (
    click.option("--variant", default="auto", show_default=True, help="Variant of the bundle."),
    click.option(
        "--reproducible", is_flag=True, help="Give answers that do not depend on the other texts of their batch."
    ),
    require_signature_option,
    click.option(
        "--device", type=click.Choice(list(DEVICES)), default=AUTO, show_default=True,
        help=f"Device to run on; no other is used. {_NOT_RUN}: {NOT_RUN}.",
    ),
)  # fmt: skip
_THREADS = click.option(
    "--threads", type=ThreadCount(), help="CPU threads [default: as tuned, or the cores this process may use]."
)
_THREADS_OF_A_WORKER = click.option(
    "--threads", type=ThreadCount(), default=1, show_default=True, help="CPU threads of each worker."
)


@dataclass(frozen=True)
class LoadOptions:
    """How a bundle is loaded; called with its folder, it loads it."""

    device: str
    variant: str
    threads: int | None
    reproducible: bool
    require_signature: Path | None = None

    def __call__(self, bundle: Path) -> TokenClassifier:
        """The classifier of the bundle in a folder."""
        from edgener_runtime.pipeline import TokenClassifier

        return TokenClassifier.load(
            bundle, self.device, self.variant, self.threads, self.reproducible, self.require_signature
        )


class RenamedOption(click.Option):
    """An option with old spellings that still work: each prints a note on stderr with the new one.

    `old` maps each old spelling to the values that were renamed with it: `{"--on-bad-line": {"error": "stop"}}`.
    """

    def __init__(self, *spellings: Any, old: Mapping[str, Mapping[str, str]], **attributes: Any) -> None:
        super().__init__(*spellings, **attributes)
        self.old = old

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser also take the old spellings."""
        super().add_to_parser(parser, ctx)
        for spelling in self.old:
            parser.add_option(self, [spelling], dest=spelling, action="append" if self.multiple else "store")

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> Any:
        """The value under whichever spelling it was given."""
        for spelling, values in self.old.items():
            if spelling in opts:
                click.echo(f"note: {spelling} is now called {self.opts[-1]}", err=True)
                given = opts[spelling]
                value = [values.get(each, each) for each in given] if self.multiple else values.get(given, given)
                opts = {**opts, str(self.name): value}
        return super().consume_value(ctx, opts)


def decoding_options(command: Command) -> Command:
    """The options of a Decoding, which the command gets as `decoding`."""

    @functools.wraps(command)
    def with_decoding(
        *,
        aggregation: str | None,
        strict: bool,
        thresholds: tuple[str, ...],
        no_thresholds: bool,
        offsets: str,
        **parameters: Any,
    ) -> Any:
        if thresholds and no_thresholds:
            raise click.UsageError("give --threshold or --no-thresholds, not both")
        minimum = dict(_threshold(value) for value in thresholds) if thresholds or no_thresholds else None
        return command(decoding=Decoding(aggregation, strict, minimum, offsets), **parameters)

    return with_options(with_decoding, _DECODING)


def loading_options(command: Command) -> Command:
    """The options of a TokenClassifier; the command gets `load`, which opens the bundle in a folder."""
    return _with_loading(command, _THREADS)


def worker_loading_options(command: Command) -> Command:
    """The same for a command whose workers each open the bundle, with one thread unless more are asked for."""
    return _with_loading(command, _THREADS_OF_A_WORKER)


def _with_loading(command: Command, threads_option: Callable[[Command], Command]) -> Command:
    @functools.wraps(command)
    def with_loading(
        *, variant: str, reproducible: bool, require_signature: Path | None, device: str, threads: int | None,
        **parameters: Any,
    ) -> Any:  # fmt: skip
        return command(load=LoadOptions(device, variant, threads, reproducible, require_signature), **parameters)

    return with_options(with_loading, (*_LOADING, threads_option))


selftest_option = click.option(
    "--selftest-every", type=FiniteRange(0), metavar="HOURS",
    help="Check the bundle's golden vectors at the start, at each reload and every HOURS; 0: never in between "
    "[default: no checks].",
)  # fmt: skip


def option_arguments(options: Iterable[tuple[str, Any]]) -> list[str]:
    """Options with their values as a command line has them; each item of a tuple repeats its option.

    None and False leave the option out, True is a flag.
    """
    found = [(f"--{name.replace('_', '-')}", each) for name, value in options for each in _each(value)]
    return [word for option, value in found for word in ((option,) if value is True else (option, str(value)))]


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else () if value in (None, False) else (value,)


def with_options(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    """A command with options, in the order of its help."""
    for option in reversed(options):
        command = option(command)
    return command


def _threshold(value: str) -> tuple[str, float]:
    label, _, score = value.rpartition("=")
    try:
        return label, float(score)
    except ValueError:
        raise click.BadParameter(
            f"{value!r}, expected LABEL=SCORE, for example PER=0.5", param_hint="--threshold"
        ) from None
