"""The options of a bench, on the device and on the build side."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click

from edgener_runtime.cli.options import Command, with_options
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
    """A share of something, as a person writes it: `2%` or `0.02`."""

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
            self.fail(f"{value!r} is no share above 0, such as 2% or 0.02", parameter, context)
        return share


_POSITIVE = click.FloatRange(0, min_open=True)
_BUNDLE = click.argument("bundle", type=click.Path(path_type=Path))
_INPUT = (
    click.option("--input", "source", metavar="FILE", help="Texts like those to come [default: made-up ones]."),
    click.option(
        "--format", "form", type=click.Choice(FORMATS), default="auto", show_default=True, help="Form of the input."
    ),
)
_WHAT = (
    click.option(
        "--scenario",
        "scenarios",
        multiple=True,
        type=click.Choice([*SCENARIOS, ALL]),
        help="How queries come; repeatable [default: single-stream and offline].",
    ),
    click.option("--variant", "variants", multiple=True, help="Of the bundle; repeatable [default: every one]."),
    click.option(
        "--device", "devices", multiple=True, type=click.Choice(list(DEVICES)), help="Repeatable [default: auto]."
    ),
    click.option(
        "--threads",
        multiple=True,
        type=click.IntRange(1),
        help="Repeatable [default: as tuned, or the cores this process may use].",
    ),
    click.option(
        "--lengths", multiple=True, type=click.IntRange(1), help="Texts of so many subwords instead; repeatable."
    ),
    click.option(
        "--samples-per-query",
        multiple=True,
        type=click.IntRange(1),
        default=(SAMPLES_PER_QUERY,),
        show_default=True,
        help="Texts of a query in multi-stream; repeatable.",
    ),
    click.option(
        "--bound", "bound_ms", type=_POSITIVE, default=BOUND_MS, show_default=True,
        help="Milliseconds that 99 of 100 queries of a server must keep.",
    ),
    click.option("--seconds", type=_POSITIVE, default=SECONDS, show_default=True, help="Budget of the whole run."),
    click.option(
        "--within", type=Share(), default=f"{WITHIN:.0%}", show_default=True, metavar="SHARE",
        help="A row ends once the interval of its median is so narrow, each way.",
    ),
    click.option(
        "--driver", type=click.Choice(DRIVER_CHOICES), default="auto", show_default=True,
        help="Who sends the queries: MLPerf's load generator where it is installed, or the one that is built in.",
    ),
    click.option("--name", help="What to call this machine [default: the Jetson's model, or the CPU's]."),
)  # fmt: skip
_RESULT = (
    click.option("--out", type=click.Path(path_type=Path), help="Write the result there, after every turn."),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    click.option(
        "--progress",
        type=click.Choice(("bar", "lines")),
        default="bar",
        show_default=True,
        help="On stderr: a bar where that is a terminal, or lines wherever it goes.",
    ),
)


def input_options(command: Command) -> Command:
    """The user's own texts; the command gets `source` and `form`, for `own_texts`."""
    return with_options(command, _INPUT)


def bench_options(command: Command) -> Command:
    """The bundle, what is measured and where the result goes; the command gets `out`, `as_json`,
    `progress`, and `ask`, which makes a Spec when it is given the texts."""

    @functools.wraps(command)
    def with_ask(*, bundle: Path, scenarios: tuple[str, ...], devices: tuple[str, ...], **parameters: Any) -> Any:
        from edgener_runtime.commissioning.bench.spec import Spec, scenarios_of

        given = parameters.keys() - {"data", "texts"}  # which texts those are is for the command to say
        asked = {name: parameters.pop(name) for name in Spec.__dataclass_fields__ if name in given}
        asked |= {"scenarios": scenarios_of(scenarios or DEFAULT_SCENARIOS), "devices": devices or ("auto",)}
        asked["bundle"] = str(bundle)
        return command(ask=functools.partial(Spec, **asked), **parameters)

    return with_options(with_ask, (_BUNDLE, *_WHAT, *_RESULT))


def own_texts(source: str | None, form: str) -> dict[str, Any]:
    """The fields of a Spec that hold the texts of a file, called by its name; none where there is no file.

    Raises UserInputError where it cannot be read or holds no texts.
    """
    from edgener_runtime.commissioning.bench.workloads import read_input

    if not source:
        return {}
    return {"data": "stdin" if source == STDIN else Path(source).name, "texts": read_input(source, form)}
