"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener_runtime.decoding.entity import AGGREGATIONS, Decoding
from edgener_runtime.decoding.offsets import OFFSETS
from edgener_runtime.machine.devices import DEVICES, NOT_RUN

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

Command = Callable[..., Any]

_NOT_RUN = ", ".join(device.name for device in DEVICES.values() if not device.proven)
_DECODING = (
    click.option(
        "--aggregation", type=click.Choice(AGGREGATIONS), default="simple", show_default=True, help="Of subwords."
    ),
    click.option("--strict", is_flag=True, help="Take the likeliest labels that IOB2 allows."),
    click.option(
        "--threshold", "thresholds", multiple=True, metavar="LABEL=SCORE", help="Leave out entities below; repeatable."
    ),
    click.option(
        "--offsets", type=click.Choice(OFFSETS), default="characters", show_default=True, help="Unit of them."
    ),
)
_LOADING = (
    click.option("--variant", default="auto", show_default=True, help="Variant of the bundle."),
    click.option("--reproducible", is_flag=True, help="No answer may depend on the texts beside it."),
    click.option(
        "--device",
        type=click.Choice(list(DEVICES)),
        default="auto",
        show_default=True,
        help=f"Where to run, and nowhere else. {_NOT_RUN}: {NOT_RUN}.",
    ),
    click.option(
        "--threads", type=click.IntRange(1), help="CPU threads [default: as tuned, or the cores this process may use]."
    ),
)


def decoding_options(command: Command) -> Command:
    """Options of how entities are told; the command gets them as `decoding`, a Decoding."""

    @functools.wraps(command)
    def with_decoding(
        *, aggregation: str, strict: bool, thresholds: tuple[str, ...], offsets: str, **parameters: Any
    ) -> Any:
        least = dict(_threshold(value) for value in thresholds)
        return command(decoding=Decoding(aggregation, strict, least, offsets), **parameters)

    return with_options(with_decoding, _DECODING)


def loading_options(command: Command) -> Command:
    """Options of what runs where; the command gets `load`, which makes a TokenClassifier of a bundle's folder."""

    @functools.wraps(command)
    def with_loading(*, variant: str, reproducible: bool, device: str, threads: int | None, **parameters: Any) -> Any:
        def load(bundle: Path) -> TokenClassifier:
            from edgener_runtime.pipeline import TokenClassifier

            return TokenClassifier.load(bundle, device, variant, threads, reproducible)

        return command(load=load, **parameters)

    return with_options(with_loading, _LOADING)


def with_options(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    """A command with options, which its help lists in this order."""
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
