"""Data sets from a source: a file, a folder of splits, or a built-in set."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from edgener.data.readers.lines import BadLines, read_text
from edgener.data.readers.table import READERS, check_options, choose_reader
from edgener_runtime.errors import UserInputError

from .types import Dataset, Sentence

FORMATS = ("auto", *READERS)
SPLITS = ("train", "valid", "test")
WHOLE = "all"
BUILTIN = "builtin:"
_FILE_STEMS = {"train": ("train",), "valid": ("valid", "validation", "dev"), "test": ("test",)}


@dataclass(frozen=True)
class DataSpec:
    """A source and how to read it: columns count from 1; `cut` splits one file into train, valid and test in order."""

    source: str
    format: str = "auto"
    token_column: int | None = None
    tag_column: int | None = None
    scheme: str = "auto"
    label_level: int | None = None
    on_error: str = "stop"
    cut: tuple[int, int, int] | None = None


def read_splits(spec: DataSpec) -> dict[str, Dataset]:
    """The splits of a source: train, valid and test of a folder, a built-in set or a cut file, else `all` of one file.

    Raises UserInputError where it cannot be read or has no sentences.
    """
    if spec.source.startswith(BUILTIN):
        splits = _read_builtin(spec.source)
    elif os.path.isdir(spec.source):  # noqa: PTH112 (Path.is_dir raises where it may not look, or on an overlong name)
        splits = {split: _read_file(file, split, spec) for split, file in _split_files(Path(spec.source)).items()}
    else:
        splits = {WHOLE: _read_file(Path(spec.source), WHOLE, spec)}
    if spec.cut is None:
        return splits
    if WHOLE not in splits:
        raise UserInputError(f"{spec.source} is cut into {', '.join(splits)} already", "Leave out --cut.")
    return _cut(splits[WHOLE], spec.cut)


def read_split(spec: DataSpec, name: str) -> Dataset:
    """One split of a source; a single file serves for any. Raises UserInputError with the known splits."""
    splits = read_splits(spec)
    if WHOLE in splits:
        return replace(splits[WHOLE], split=name)
    if name not in splits:
        raise UserInputError(f"{spec.source} has no {name} split; it has {', '.join(splits)}", "Name one: --split test")
    return splits[name]


def check_labels(known: tuple[str, ...], dataset: Dataset) -> None:
    """Raise UserInputError where a data set has entity labels that are not among `known`."""
    if strange := [label for label in dataset.labels if label not in known]:
        raise UserInputError(
            f"{dataset.source} ({dataset.split}) has labels that training never saw: {', '.join(strange)}; "
            f"the model knows {', '.join(known)}",
            "Train on data that has them, or map them to known ones.",
        )


def _read_builtin(source: str) -> dict[str, Dataset]:
    from .factory import factory_splits

    if source != f"{BUILTIN}factory":
        raise UserInputError(f"there is no built-in data set {source!r}", "There is one: --data builtin:factory")
    return factory_splits()


def _split_files(folder: Path) -> dict[str, Path]:
    try:
        inside = sorted(file for file in folder.iterdir() if file.is_file())
    except OSError as error:
        raise UserInputError(f"cannot read {folder}: {error.strerror}", "Check its permissions.") from None
    found = {}
    for split, stems in _FILE_STEMS.items():
        files = [file for file in inside if file.stem in stems]
        if len(files) > 1:
            raise UserInputError(
                f"{folder} has several files for {split}: {', '.join(file.name for file in files)}",
                "Leave one of them.",
            )
        if files:
            found[split] = files[0]
    if not found:
        raise UserInputError(f"{folder} holds no data: expected files named train, valid or test", "Or name one file.")
    return found


def _read_file(path: Path, split: str, spec: DataSpec) -> Dataset:
    text, bad = read_text(path), BadLines(path, skip=spec.on_error == "skip")
    reader, options = choose_reader(spec.format, path, text), _reader_options(spec)
    check_options(reader, path, options)
    sentences, record_format, scheme = reader.read(text, bad, options)
    if not sentences:
        raise UserInputError(f"{path} holds no sentences", f"It was read as {reader.name}; name another with --format.")
    if spec.label_level:
        sentences = [_cut_labels(sentence, spec.label_level) for sentence in sentences]
    return Dataset(str(path), split, tuple(sentences), record_format, scheme, +bad.counts)


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
    repairs = Counter({f"{kind}, in all splits": number for kind, number in whole.repairs.items()})
    return {
        split: replace(whole, split=split, sentences=whole.sentences[start:end], repairs=repairs)
        for split, start, end in zip(SPLITS, edges, edges[1:], strict=False)
    }
