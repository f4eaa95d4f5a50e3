"""Data sets from a source: a file, a folder of splits, or a built-in set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from edgener.data.readers.lines import BadLines, DataFile
from edgener.data.readers.table import READERS, check_options, choose_reader
from edgener_runtime.errors import UserInputError

from . import reasons
from .documents import numbered_on
from .folders import WHOLE, split_paths
from .labels import OUTSIDE, map_labels
from .types import Dataset, Sentence

FORMATS = ("auto", *READERS)
SPLITS = ("train", "valid", "test")
BUILTIN = "builtin:"


@dataclass(frozen=True)
class DataSpec:
    """A source and how to read it.

    Columns count from 1; `cut` splits one file into train, valid and test in order; `label_names` are the names of
    numbered tags; `map_labels` are pairs of a label of the data and its new name; `strict_data` refuses data of which
    anything is left out.
    """

    source: str
    format: str = "auto"
    token_column: int | None = None
    tag_column: int | None = None
    scheme: str = "auto"
    label_level: int | None = None
    on_error: str = "stop"
    cut: tuple[int, int, int] | None = None
    label_names: tuple[str, ...] | None = None
    map_labels: tuple[tuple[str, str], ...] = ()
    strict_data: bool = False


def read_splits(spec: DataSpec) -> dict[str, Dataset]:
    """The splits of a source: train, valid and test of a folder, a built-in set or a cut file, else `all` of one file.

    Raises UserInputError where it cannot be read or has no sentences.
    """
    splits = _read_source(spec)
    if spec.strict_data:
        _check_complete(splits.values())
    splits = map_labels(splits, spec.map_labels)
    if spec.cut is None:
        return splits
    if WHOLE not in splits:
        raise UserInputError(f"{spec.source} is cut into {', '.join(splits)} already", "Leave out --cut.")
    return _cut(splits[WHOLE], spec.cut)


def read_both(spec: DataSpec, other: str) -> tuple[dict[str, Dataset], dict[str, Dataset]]:
    """The splits of two sources with the same options: a single file is cut, a label mapped where it occurs.

    Raises UserInputError as `read_splits` does, and where there is nothing to cut or to map in either.
    """
    read = [read_splits(replace(spec, source=source, cut=None, map_labels=())) for source in (spec.source, other)]
    if spec.cut and not any(WHOLE in splits for splits in read):
        raise UserInputError(f"{spec.source} and {other} are split already", "Leave out --cut.")
    every = {f"{number} {name}": split for number, splits in enumerate(read) for name, split in splits.items()}
    mapped = map_labels(every, spec.map_labels)
    found = [{name: mapped[f"{number} {name}"] for name in splits} for number, splits in enumerate(read)]
    first, second = (_cut(each[WHOLE], spec.cut) if spec.cut and WHOLE in each else each for each in found)
    return first, second


def _read_source(spec: DataSpec) -> dict[str, Dataset]:
    if spec.source.startswith(BUILTIN):
        return _read_builtin(spec.source)
    if os.path.isdir(spec.source):  # noqa: PTH112 (Path.is_dir raises where it may not look, or on an overlong name)
        found = split_paths(Path(spec.source))
        return {split: _read_parts(paths, split, spec) for split, paths in found.items()}
    return {WHOLE: _read_file(Path(spec.source), WHOLE, spec)}


def _check_complete(splits: Iterable[Dataset]) -> None:
    """Raise UserInputError where anything was left out of a split."""
    for dataset in splits:
        if left_out := reasons.left_out(dataset.repairs):
            raise UserInputError(
                f"{dataset.source} is not read whole: {reasons.in_words(left_out)}",
                "Correct the data, or read the rest without --strict-data.",
            )


def read_split(spec: DataSpec, name: str) -> Dataset:
    """One split of a source; a single file serves for any. Raises UserInputError with the known splits."""
    return split_of(read_splits(spec), spec, name)


def split_of(splits: dict[str, Dataset], spec: DataSpec, name: str) -> Dataset:
    """One of the splits of a source, as `read_split` has it."""
    if WHOLE in splits:
        return replace(splits[WHOLE], split=name)
    if name not in splits:
        raise UserInputError(f"{spec.source} has no {name} split; it has {', '.join(splits)}", "Name one: --split test")
    return splits[name]


def check_labels(known: tuple[str, ...], dataset: Dataset) -> None:
    """Raise UserInputError where a data set has entity labels that are not among `known`."""
    if strange := [label for label in dataset.labels if label not in known]:
        raise UserInputError(
            f"{dataset.source} ({dataset.split}) has labels that the model does not know: {', '.join(strange)}; "
            f"it knows {', '.join(known)}",
            f"Map each to a known one, or to O: --map-labels {strange[0]}={_most_alike(strange[0], known)}. "
            "An export can also be judged by churn on text without labels: a file with one text per line.",
        )


def _most_alike(label: str, known: Sequence[str]) -> str:
    """The known label that is spelt most like another, or O where none is."""
    names = {name.casefold(): name for name in known}
    return next((names[name] for name in get_close_matches(label.casefold(), names, n=1, cutoff=0.4)), OUTSIDE)


def check_labelled(dataset: Dataset) -> None:
    """Raise UserInputError for text without labels, which cannot be scored."""
    if not dataset.labelled:
        raise UserInputError(
            f"{dataset.source} ({dataset.split}) is text without labels, read as {dataset.format}",
            "Name labelled text. Text without labels judges an export by churn: edgener export ... --max-churn 0.01",
        )


def _read_builtin(source: str) -> dict[str, Dataset]:
    from .factory import factory_splits

    if source != f"{BUILTIN}factory":
        raise UserInputError(f"there is no built-in data set {source!r}", "There is one: --data builtin:factory")
    return factory_splits()


def _read_parts(paths: Sequence[Path], split: str, spec: DataSpec) -> Dataset:
    """One split of several files, as those of large data sets on the Hub."""
    first, *others = [_read_file(path, split, spec) for path in paths]
    if not others:
        return first
    sentences = tuple(numbered_on(part.sentences for part in (first, *others)))
    counts = sum((part.repairs for part in (first, *others)), Counter[str]())
    return replace(first, sentences=sentences, repairs=counts)


def _read_file(path: Path, split: str, spec: DataSpec) -> Dataset:
    file, bad, options = DataFile(path), BadLines(path, skip=spec.on_error == "skip"), _reader_options(spec)
    reader = choose_reader(spec.format, file, options)
    check_options(reader, file, options)
    reading = reader.read(file, bad, options)
    if not reading.sentences:
        left_out = reasons.left_out(+bad.counts)
        raise UserInputError(
            f"{path} holds no sentences" + (f" but those left out: {reasons.in_words(left_out)}" if left_out else ""),
            f"It was read as {reader.name}; name another with --format.",
        )
    sentences = reading.sentences
    if spec.label_level:
        sentences = [_cut_labels(sentence, spec.label_level) for sentence in sentences]
    return Dataset(
        str(path), split, tuple(sentences), reading.format, reading.scheme, +bad.counts, labelled=reading.labelled
    )


def _reader_options(spec: DataSpec) -> dict[str, Any]:
    """The options of readers that are not at their defaults."""
    names = {name for reader in READERS.values() for name in reader.options}
    options = {field.name: getattr(spec, field.name) for field in fields(spec) if field.name in names}
    defaults = {field.name: field.default for field in fields(spec)}
    return {name: value for name, value in options.items() if value != defaults[name]}


def _cut_labels(sentence: Sentence, level: int) -> Sentence:
    """The sentence with each label path (`A/B/C`) cut after `level` parts."""
    spans = (replace(span, label="/".join(span.label.split("/")[:level])) for span in sentence.spans)
    return replace(sentence, spans=tuple(spans))


def _cut(whole: Dataset, shares: tuple[int, int, int]) -> dict[str, Dataset]:
    """Train, valid and test in the file's order; valid and test get their share rounded up, train gets the rest."""
    count = len(whole.sentences)
    sizes = [-(-count * share // sum(shares)) for share in shares[1:]]
    edges = [0, count - sum(sizes), count - sizes[1], count]
    if edges[1] < 1:
        raise UserInputError(
            f"{whole.source} has {count} sentences: too few for --cut {'/'.join(map(str, shares))}",
            "Name separate files for train, valid and test, or cut it otherwise.",
        )
    repairs = reasons.for_all_splits(whole.repairs)
    return {
        split: replace(whole, split=split, sentences=whole.sentences[start:end], repairs=repairs)
        for split, start, end in zip(SPLITS, edges, edges[1:], strict=False)
    }
