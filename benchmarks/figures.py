"""The end of a benchmark that measures bounds: its figures as JSON, in a file and on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgener_runtime import __version__
from edgener_runtime.base.files import write_atomic


def write_figures(out: Path, bundle: Path, figures: dict[str, Any]) -> None:
    """Write figures with what was measured."""
    text = json.dumps(figures | {"bundle": bundle.name, "edgener_runtime": __version__}, indent=2)
    write_atomic(out, text + "\n")
    click.echo(text)
