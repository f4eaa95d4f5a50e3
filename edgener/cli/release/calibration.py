"""The options of calibration, which `edgener export` and `edgener search` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from edgener_exporters.calibrate.calibration import METHODS
from edgener_runtime.cli.options import with_options

_OPTIONS = (
    click.option(
        "--calibration",
        metavar="SOURCE",
        help="Text for activation ranges, not the test set [default: part of the train split].",
    ),
    click.option(
        "--calibration-method",
        type=click.Choice(tuple(METHODS)),
        default="minmax",
        show_default=True,
        help="Method for activation ranges.",
    ),
)


def calibration_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The text for activation ranges, and the method."""
    return with_options(command, _OPTIONS)
