"""`edgener data formats`: the table of readers."""

from __future__ import annotations

import json

import click

from edgener.data.readers.table import READERS
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
    rows = [
        {"name": reader.name, "description": reader.description, "guessed": reader.guess is not None,
         "options": [f"--{option.replace('_', '-')}" for option in reader.options]}
        for reader in READERS.values()
    ]  # fmt: skip
    if output == "json":
        write_line(json.dumps(rows, indent=2))
    elif output == "markdown":
        from edgener.report.devices_page import markdown_table

        cells = [
            (row["name"], row["description"], "yes" if row["guessed"] else "as json", ", ".join(row["options"]) or "-")
            for row in rows
        ]
        write_line((PAGE + markdown_table(HEADINGS, cells)).rstrip("\n"))
    else:
        for row in rows:
            write_line(f"{row['name']:13}{row['description']}")
