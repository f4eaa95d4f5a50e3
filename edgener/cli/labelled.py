"""Labelled data for a command, with notes on stderr of what was left out, changed, or is missing."""

from __future__ import annotations

import os
from collections.abc import Iterable

import click

from edgener.data import reasons
from edgener.data.read import DataSpec, read_split, read_splits
from edgener.data.types import Dataset


def read_noted_split(spec: DataSpec, name: str) -> Dataset:
    """One split of a source; prints the notes of it."""
    dataset = read_split(spec, name)
    print_notes([dataset])
    return dataset


def read_noted_splits(spec: DataSpec) -> dict[str, Dataset]:
    """All splits of a source; prints the notes of each."""
    splits = read_splits(spec)
    print_notes(splits.values())
    return splits


def print_notes(datasets: Iterable[Dataset]) -> None:
    """Print what was left out and changed, and a warning for labelled data without any entity."""
    if os.environ.get("RANK", "0") != "0":  # torchrun: one process prints for all
        return
    for dataset in datasets:
        where = f"{dataset.source} ({dataset.split})"
        for word, counts in (("left out", reasons.left_out), ("changed", reasons.changed)):
            if found := reasons.in_words(counts(dataset.repairs)):
                click.echo(f"note: {where}: {word}: {found}", err=True)
        warn_of_missing_entities(dataset)


def warn_of_missing_entities(dataset: Dataset) -> None:
    """Print a warning where labelled data has no entity."""
    if dataset.labels:
        return
    read_as = f"{len(dataset.sentences):,} sentences read as {dataset.format}".replace("1 sentences", "1 sentence")
    found = "has no entities" if dataset.labelled else "is text without labels"
    click.secho(f"warning: {dataset.source} ({dataset.split}) {found}: {read_as}", fg="yellow", bold=True, err=True)
