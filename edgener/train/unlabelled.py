"""Texts without labels for distillation: none empty, none twice, and none that is scored later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgener.data.read import DataSpec, read_split
from edgener.data.readers.lines import DataFile
from edgener.data.readers.records import looks_like_json
from edgener.data.types import Dataset
from edgener_runtime.errors import UserInputError

UNLABELLED = "unlabelled"
_SCORED = ("valid", "test")
_MOST_SHOWN = 5  # line numbers in a message


def with_unlabelled(splits: Mapping[str, Dataset], path: str | None) -> dict[str, Dataset]:
    """The splits, with the texts of a file as a further one where it is given.

    Raises UserInputError with file and line for a text that is empty, repeated, or in the valid or test split too.
    """
    if path is None:
        return dict(splits)
    dataset = _read(Path(path))
    _refuse(dataset, [sentence.line for sentence in dataset.sentences if not sentence.text.strip()], "has no text")
    _refuse(dataset, _repeated(dataset), "has a text that an earlier line has")
    for name in _SCORED:
        if name in splits:
            scored = {_solid(sentence.text) for sentence in splits[name].sentences}
            shared = [sentence.line for sentence in dataset.sentences if _solid(sentence.text) in scored]
            _refuse(dataset, shared, f"has a sentence of the {name} split, on which the model is scored")
    return {**splits, UNLABELLED: dataset}


def _read(path: Path) -> Dataset:
    """A file of texts, one per line, or of JSON with a text in each record; blank lines are not texts."""
    if not path.is_file():
        raise UserInputError(
            f"there is no file {path} of texts without labels", "Name one: a text per line, or JSON Lines with text."
        )
    kind = "json" if looks_like_json(path, DataFile(path).text) else "lines"
    dataset = read_split(DataSpec(str(path), format=kind), UNLABELLED)
    if dataset.labelled:
        raise UserInputError(
            f"{path} is labelled text ({dataset.format}), which --unlabelled does not take",
            "Add it to the train split, or write the texts alone: one per line, or JSON Lines with text.",
        )
    return dataset


def _repeated(dataset: Dataset) -> list[int]:
    first: dict[str, int] = {}
    return [
        sentence.line
        for number, sentence in enumerate(dataset.sentences)
        if first.setdefault(_solid(sentence.text), number) != number
    ]


def _solid(text: str) -> str:
    """The text without white space: data sets of tokens have other spaces than the texts that they came from."""
    return "".join(text.split())


def _refuse(dataset: Dataset, lines: list[int], fault: str) -> None:
    """Raise UserInputError where lines have a fault."""
    if not lines:
        return
    others = f"; so have {len(lines) - 1:,} others: {_listed(lines[1:])}" if len(lines) > 1 else ""
    raise UserInputError(
        f"{dataset.source}:{lines[0]}: {fault}{others}", "Leave it out; every text is learned once, and none is scored."
    )


def _listed(lines: list[int]) -> str:
    return ", ".join(map(str, lines[:_MOST_SHOWN])) + (" ..." if len(lines) > _MOST_SHOWN else "")
