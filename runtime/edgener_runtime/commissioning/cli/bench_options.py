"""The options of a benchmark, on the device and on the build side."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click

from edgener_runtime.cli.options import Command, FiniteRange, RenamedOption, with_options
from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS
from edgener_runtime.commissioning.bench.spec import (
    ALL,
    BOUND_MS,
    DEFAULT_SCENARIOS,
    DRIVER_CHOICES,
    SAMPLES_PER_QUERY,
    SECONDS,
    WITHIN,
)
from edgener_runtime.machine.devices import DEVICES
from edgener_runtime.text.inputs import FORMATS, STDIN


class Share(click.ParamType):  # type: ignore[type-arg]
    """A share on the command line: `2%` or `0.02`."""

    name = "share"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        """The share, above 0 and at most 1."""
        if isinstance(value, float):
            return value
        number, percent, rest = str(value).partition("%")
        try:
            share = float(number) / (100 if percent else 1)
        except ValueError:
            share = 0.0
        if rest or not 0 < share <= 1:
            self.fail(f"{value!r} is not a share above 0, such as 2% or 0.02", parameter, context)
        return share


_POSITIVE = FiniteRange(0, min_open=True)
_BUNDLE = click.argument("bundle", type=click.Path(path_type=Path))
_INPUT = (
    click.option("--input", "source", metavar="FILE", help="Texts like those in production [default: synthetic ones]."),
    click.option(
        "--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True, help="Format of the input."
    ),
)
_WHAT = (
    click.option(
        "--scenario",
        "scenarios",
        multiple=True,
        type=click.Choice([*SCENARIOS, ALL]),
        help="How queries arrive; repeatable [default: single-stream and offline].",
    ),
    click.option("--variant", "variants", multiple=True, help="Variants, with commas or repeated [default: all]."),
    click.option(
        "--device", "devices", multiple=True, type=click.Choice(list(DEVICES)),
        help="Where to run; repeatable [default: auto].",
    ),
    click.option(
        "--threads",
        multiple=True,
        type=click.IntRange(1),
        help="CPU threads; repeatable [default: as tuned, or the usable cores].",
    ),
    click.option(
        "--length", "lengths", cls=RenamedOption, old={"--lengths": {}}, multiple=True, type=click.IntRange(1),
        help="Texts of this number of subwords instead; repeatable.",
    ),
    click.option(
        "--samples-per-query",
        multiple=True,
        type=click.IntRange(1),
        default=(SAMPLES_PER_QUERY,),
        show_default=True,
        help="Texts per query in multi-stream; repeatable.",
    ),
    click.option(
        "--bound", "bound_ms", type=_POSITIVE, default=BOUND_MS, show_default=True,
        help="Limit of a server's p99 latency in milliseconds.",
    ),
    click.option("--seconds", type=_POSITIVE, default=SECONDS, show_default=True, help="Time budget of the whole run."),
    click.option(
        "--within", type=Share(), default=f"{WITHIN:.0%}", show_default=True, metavar="SHARE",
        help="A row ends once the interval of its median is this narrow, each way.",
    ),
    click.option(
        "--driver", type=click.Choice(DRIVER_CHOICES), default="auto", show_default=True,
        help="Sender of the queries: MLPerf's load generator if it is installed, or the built-in one.",
    ),
    click.option("--name", help="Name of this machine in the result [default: the Jetson's model, or the CPU's]."),
)  # fmt: skip
_RESULT = (
    click.option("--out", type=click.Path(path_type=Path), help="Write the result to this file, after every turn."),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    click.option(
        "--progress",
        type=click.Choice(("bar", "lines")),
        default="bar",
        show_default=True,
        help="On stderr: a bar if that is a terminal, or lines in any case.",
    ),
)


def input_options(command: Command) -> Command:
    """Options of the user's own texts; the command gets `source` and `form`, for `own_texts`."""
    return with_options(command, _INPUT)


def bench_options(command: Command) -> Command:
    """Options of the bundle, the spec and the result; the command gets `out`, `as_json`, `progress`, and `ask`, which
    makes a Spec of the texts."""

    @functools.wraps(command)
    def with_ask(
        *, bundle: Path, scenarios: tuple[str, ...], variants: tuple[str, ...], devices: tuple[str, ...],
        **parameters: Any,
    ) -> Any:  # fmt: skip
        from edgener_runtime.commissioning.bench.spec import Spec, scenarios_of

        given = parameters.keys() - {"data", "texts"}  # the command chooses the texts
        asked = {name: parameters.pop(name) for name in Spec.__dataclass_fields__ if name in given}
        asked |= {"scenarios": scenarios_of(scenarios or DEFAULT_SCENARIOS), "devices": devices or ("auto",)}
        asked |= {"bundle": str(bundle), "variants": tuple(name for names in variants for name in names.split(","))}
        return command(ask=functools.partial(Spec, **asked), **parameters)

    return with_options(with_ask, (_BUNDLE, *_WHAT, *_RESULT))


def own_texts(source: str | None, form: str) -> dict[str, Any]:
    """The fields of a Spec for the texts of a file, under its name; none without a file.

    Raises UserInputError if it cannot be read or has no texts.
    """
    from edgener_runtime.commissioning.bench.workloads import read_input

    if not source:
        return {}
    return {"data": "stdin" if source == STDIN else Path(source).name, "texts": read_input(source, form)}
