"""Options that several commands share, each handed on as one typed value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any

import click

from edgener.data.read import FORMATS, DataSpec
from edgener.data.tags import SCHEMES

_DATA_OPTIONS = (
    click.option(
        "--data",
        "source",
        required=True,
        metavar="SOURCE",
        help="A file, a folder with train, valid and test files, or builtin:factory.",
    ),
    click.option(
        "--format", type=click.Choice(FORMATS), default="auto", show_default=True, help="CoNLL columns or JSON."
    ),
    click.option(
        "--token-column", type=click.IntRange(1), help="Column of the token, counted from 1 [default: guessed]."
    ),
    click.option("--tag-column", type=click.IntRange(1), help="Column of the tag, counted from 1 [default: guessed]."),
    click.option(
        "--scheme", type=click.Choice(("auto", *SCHEMES)), default="auto", show_default=True, help="Tag scheme."
    ),
    click.option("--label-level", type=click.IntRange(1), help="Cut labels such as A/B/C after this many parts."),
    click.option(
        "--on-bad-line",
        type=click.Choice(("error", "skip")),
        default="error",
        show_default=True,
        help="Stop at a broken line, or skip and count it.",
    ),
    click.option(
        "--cut", metavar="80/10/10", callback=lambda *args: parse_cut(args[2]), help="Share one file out, in order."
    ),
)


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --data and the options of its readers, and hands the command `data: DataSpec`."""

    @wraps(command)
    def with_spec(**options: Any) -> Any:
        fields = {name: options.pop(name) for name in DataSpec.__dataclass_fields__}
        return command(data=DataSpec(**fields), **options)

    decorated: Callable[..., Any] = with_spec
    for option in reversed(_DATA_OPTIONS):
        decorated = option(decorated)
    return decorated


def parse_cut(text: str | None) -> tuple[int, int, int] | None:
    """`80/10/10` as three shares. Raises click.BadParameter."""
    if text is None:
        return None
    shares = [int(part) for part in text.split("/") if part.isdecimal()]
    if len(shares) != 3 or text.count("/") != 2 or not all(shares):
        raise click.BadParameter(f"found {text!r}, expected three shares such as 80/10/10")
    return shares[0], shares[1], shares[2]


def data_arguments(spec: DataSpec) -> list[str]:
    """The options that ask for the same reading of another source; those at their defaults are left out."""
    arguments: list[str] = []
    for field in fields(DataSpec):
        value = getattr(spec, field.name)
        if field.name != "source" and value != field.default:
            text = "/".join(map(str, value)) if isinstance(value, tuple) else str(value)
            arguments += [f"--{field.name.replace('_', '-')}", text]
    return arguments
