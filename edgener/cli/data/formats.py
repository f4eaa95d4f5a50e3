"""`edgener data formats`: the table of readers."""

from __future__ import annotations

import json
from typing import Any

import click

from edgener.data.readers.table import READERS, Reader
from edgener_runtime.cli.console import write_line

PAGE = """# Formats of labelled text

The formats that `--data` reads. `--format auto` guesses the format of a file; `--format NAME` sets it.

This page is what `edgener data formats --markdown` prints.

"""
HEADINGS = ("format", "content", "guessed", "options")


@click.command()
@click.option("--json", "output", flag_value="json", help="Print the table as JSON.")
@click.option("--markdown", "output", flag_value="markdown", help="Print the page of the documentation.")
def formats(output: str | None) -> None:
    """List the formats of labelled text that --data reads.

    \b
    Example:
      edgener data formats
    """
    if output == "json":
        write_line(json.dumps([_record(reader) for reader in READERS.values()], indent=2))
    elif output == "markdown":
        from edgener_runtime.base.tables import markdown_table

        write_line((PAGE + markdown_table(HEADINGS, map(_cells, READERS.values()))).rstrip("\n"))
    else:
        for reader in READERS.values():
            write_line(f"{reader.name:13}{reader.description}")


def _record(reader: Reader) -> dict[str, Any]:
    return {
        "name": reader.name,
        "description": reader.description,
        "guessed": reader.guess is not None,
        "options": _options(reader),
    }


def _cells(reader: Reader) -> tuple[str, ...]:
    guessed = "yes" if reader.guess else "as json"
    return reader.name, reader.description, guessed, ", ".join(_options(reader)) or "-"


def _options(reader: Reader) -> list[str]:
    return [f"--{option.replace('_', '-')}" for option in reader.options]
