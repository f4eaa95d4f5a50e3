"""Options that several commands share; each group becomes one typed value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any

import click

from edgener.data.labels import parse_pairs, parse_tag_names, tag_names_text
from edgener.data.read import FORMATS, DataSpec
from edgener.data.tags import SCHEMES
from edgener.labels import AUTO, LabelChoice
from edgener_runtime.cli.options import RenamedOption, ThreadCount, with_options
from edgener_runtime.decoding.schemes import SCHEMES as MODEL_SCHEMES
from edgener_runtime.text.inputs import FORMATS as TEXT_FORMATS

_SOURCE = "A file, a folder with train, valid and test files, or builtin:factory."
_DATA_OPTIONS = (
    click.option("--data", "source", required=True, metavar="SOURCE", help=_SOURCE),
    click.option(
        "--format",
        type=click.Choice(FORMATS),
        default="auto",
        show_default=True,
        help="Format of the data; edgener data formats lists them.",
    ),
    click.option(
        "--token-column", type=click.IntRange(1), help="Column of the token, counted from 1 [default: guessed]."
    ),
    click.option("--tag-column", type=click.IntRange(1), help="Column of the tag, counted from 1 [default: guessed]."),
    click.option(
        "--scheme",
        type=click.Choice(("auto", *SCHEMES)),
        default="auto",
        show_default=True,
        help="Tag scheme of the data.",
    ),
    click.option("--label-level", type=click.IntRange(1), help="Cut labels such as A/B/C after this many parts."),
    click.option(
        "--on-error",
        cls=RenamedOption,
        old={"--on-bad-line": {"error": "stop"}},
        type=click.Choice(("stop", "skip")),
        default="stop",
        show_default=True,
        help="Stop at a broken line, or skip and count it.",
    ),
    click.option(
        "--cut",
        metavar="80/10/10",
        callback=lambda *args: parse_cut(args[2]),
        help="Split one file into train, valid and test, in order.",
    ),
    click.option(
        "--label-names",
        metavar="O,B-PER,...",
        callback=lambda *args: parse_tag_names(args[2]) if args[2] else None,
        help="Names of numbered tags, from 0 on, or a file: one name per line, or a config.json.",
    ),
    click.option(
        "--map-labels",
        multiple=True,
        metavar="OLD=NEW",
        callback=lambda *args: parse_pairs(args[2]),
        help="Rename a label of the data, also to O; repeatable, or a file with one pair per line.",
    ),
    click.option("--strict-data", is_flag=True, help="Refuse data of which anything is left out."),
)


_DATA_OR_TEXTS_OPTIONS = (
    click.option("--data", "source", metavar="SOURCE", help=_SOURCE),
    click.option("--input", "texts", metavar="FILE", help="Texts like those in production [default: synthetic ones]."),
    click.option(
        "--format",
        type=click.Choice(tuple(dict.fromkeys((*FORMATS, *TEXT_FORMATS)))),
        default="auto",
        show_default=True,
        help=f"Format of --data ({', '.join(FORMATS)}) or of --input ({', '.join(TEXT_FORMATS)}).",
    ),
    *_DATA_OPTIONS[2:],
)


_LABEL_OPTIONS = (
    click.option(
        "--model-labels", metavar="NAMES|FILE",
        help="Names of the model's labels, from number 0 on, or a file with one per line [default: its config.json].",
    ),
    click.option(
        "--model-scheme", type=click.Choice((AUTO, *MODEL_SCHEMES)), default=AUTO, show_default=True,
        help="Scheme of the model's labels; auto derives it from them, or from the predictions.",
    ),
    click.option("--outside-label", metavar="LABEL", help="The model's label outside of all entities [default: O]."),
)  # fmt: skip


threads_option = click.option(
    "--threads", type=ThreadCount(), help="Threads on the CPU [default: by the load of the machine]."
)


untested_option = click.option(
    "--untested", is_flag=True, help="Try an architecture that is not supported; a bundle is labelled so."
)


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --data and the options of its readers; the command receives them as `data: DataSpec`."""

    @wraps(command)
    def with_spec(**options: Any) -> Any:
        return command(data=_data_spec(options), **options)

    return with_options(with_spec, _DATA_OPTIONS)


def update_data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --new, --replay and the options of their readers; the command receives `new: DataSpec` and `replay: str`."""

    @wraps(command)
    def with_spec(**options: Any) -> Any:
        return command(new=_data_spec(options), **options)

    sources = (
        click.option("--new", "source", required=True, metavar="SOURCE", help=f"The new data. {_SOURCE}"),
        click.option("--replay", required=True, metavar="SOURCE", help="The old data, read with the same options."),
    )
    return with_options(with_spec, (*sources, *_DATA_OPTIONS[1:]))


def label_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for the labels of a checkpoint; the command receives them as `labels: LabelChoice`."""

    @wraps(command)
    def with_labels(model_labels: str | None, model_scheme: str, outside_label: str | None, **options: Any) -> Any:
        names = parse_tag_names(model_labels, "--model-labels") if model_labels is not None else ()
        return command(labels=LabelChoice(names, model_scheme, outside_label), **options)

    return with_options(with_labels, _LABEL_OPTIONS)


def label_settings(labels: LabelChoice) -> list[tuple[str, Any]]:
    """The options that read a model's labels in the same way; those at their defaults are left out."""
    return [
        ("model_labels", tag_names_text(labels.names) if labels.names else None),
        ("model_scheme", None if labels.scheme == AUTO else labels.scheme),
        ("outside_label", labels.outside),
    ]


def data_or_texts_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --data with the options of its readers, and --input; both together are refused.

    The command receives `data`, a DataSpec or None, and `texts`, the input file and its format, or None.
    """

    @wraps(command)
    def with_either(texts: str | None, **options: Any) -> Any:
        data = _data_spec(options)
        if data.source and texts:
            raise click.UsageError("give --data or --input, not both")
        formats = TEXT_FORMATS if texts else FORMATS
        if (data.source or texts) and data.format not in formats:
            raise click.UsageError(f"--format {data.format} is not one of {', '.join(formats)}")
        source = data if data.source else None
        return command(data=source, texts=(texts, data.format) if texts else None, **options)

    return with_options(with_either, _DATA_OR_TEXTS_OPTIONS)


def _data_spec(options: dict[str, Any]) -> DataSpec:
    """Move the fields of a DataSpec out of the options."""
    return DataSpec(**{name: options.pop(name) for name in DataSpec.__dataclass_fields__})


def parse_cut(text: str | None) -> tuple[int, int, int] | None:
    """`80/10/10` as three shares. Raises click.BadParameter."""
    if text is None:
        return None
    shares = [int(part) for part in text.split("/") if part.isdecimal()]
    if len(shares) != 3 or text.count("/") != 2 or not all(shares):
        raise click.BadParameter(f"found {text!r}, expected three shares such as 80/10/10")
    return shares[0], shares[1], shares[2]


def data_settings(spec: DataSpec) -> list[tuple[str, Any]]:
    """The options that read another source in the same way; those at their defaults are left out."""
    values = {field.name: getattr(spec, field.name) for field in fields(DataSpec) if field.name != "source"}
    given = {field.name for field in fields(DataSpec) if values.get(field.name) != field.default}
    texts = {
        "cut": "/".join(map(str, spec.cut or ())),
        "label_names": tag_names_text(spec.label_names or ()),
        "map_labels": tuple(f"{old}={new}" for old, new in spec.map_labels),
    }
    return [(name, value) for name, value in (values | texts).items() if name in given]
