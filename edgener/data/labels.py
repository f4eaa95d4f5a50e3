"""Labels of the data as those of a model: pairs of names, from the command line or a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgener.data.readers.lines import read_text
from edgener_runtime.errors import UserInputError

from .reasons import MAPPED_TO_O
from .types import Dataset, Sentence

OUTSIDE = "O"
_JSON = re.compile(r'\s*(\[\s*["\]]|\{)')  # [PAD] is a name
_SUCH_PAIRS = "Such as --map-labels PERSON=PER, or a file with one pair per line."
Pairs = tuple[tuple[str, str], ...]


def map_labels(splits: Mapping[str, Dataset], pairs: Pairs) -> dict[str, Dataset]:
    """The splits with new names for labels; entities of one that becomes O are dropped and counted.

    Raises UserInputError where no split has a label that is to be mapped.
    """
    names = dict(pairs)
    known = sorted({label for dataset in splits.values() for label in dataset.labels})
    if missing := [old for old in names if old not in known]:
        raise UserInputError(
            f"no entity of the data has the label {missing[0]!r} of --map-labels; it has {', '.join(known) or 'none'}",
            f"Name a label of the data without its prefix: --map-labels {known[0] if known else 'OLD'}=NEW",
        )
    return {split: _mapped(dataset, names) for split, dataset in splits.items()} if names else dict(splits)


def _mapped(dataset: Dataset, names: Mapping[str, str]) -> Dataset:
    dropped = sum(count for label, count in dataset.entity_counts.items() if names.get(label) == OUTSIDE)
    sentences = tuple(_renamed(sentence, names) for sentence in dataset.sentences)
    repairs = dataset.repairs.copy()
    if dropped:
        repairs[MAPPED_TO_O] += dropped
    return replace(dataset, sentences=sentences, repairs=repairs)


def _renamed(sentence: Sentence, names: Mapping[str, str]) -> Sentence:
    spans = (replace(span, label=names.get(span.label, span.label)) for span in sentence.spans)
    return replace(sentence, spans=tuple(span for span in spans if span.label != OUTSIDE))


def parse_pairs(values: Iterable[str]) -> Pairs:
    """The pairs of `OLD=NEW`, or of a file with one pair per line or a JSON object. Raises UserInputError."""
    pairs = [
        pair for value in values for pair in (_pairs_of_file(value) if "=" not in value else [_pair(value, value)])
    ]
    names: dict[str, str] = {}
    for old, new in pairs:
        if names.setdefault(old, new) != new:
            raise UserInputError(f"--map-labels maps {old!r} to {names[old]!r} and to {new!r}", "Leave one of them.")
    return tuple(names.items())


def _pairs_of_file(name: str) -> list[tuple[str, str]]:
    if not Path(name).exists():
        raise UserInputError(f"--map-labels: found {name!r}, not a file; expected OLD=NEW", _SUCH_PAIRS)
    text = read_text(Path(name))
    if text.lstrip().startswith("{"):
        record = _json(name, text)
        if not isinstance(record, dict) or not all(isinstance(new, str) and old and new for old, new in record.items()):
            raise UserInputError(f'{name}: expected an object such as {{"PERSON": "PER"}}', "Name each label once.")
        return list(record.items())
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), start=1))
    return [_pair(line, f"{name}:{number}") for number, line in lines if line]


def _pair(text: str, where: str) -> tuple[str, str]:
    old, _, new = text.rpartition("=")
    if not old.strip() or not new.strip():
        raise UserInputError(f"{where}: found {text!r}, expected OLD=NEW", _SUCH_PAIRS)
    return old.strip(), new.strip()


def parse_tag_names(value: str, option: str = "--label-names") -> tuple[str, ...]:
    """The names of numbered labels: separated by commas, or a file with one per line or with JSON.

    JSON is a list of names, or an object with `id2label` or with the number of each name. Raises UserInputError.
    """
    if _JSON.match(value):
        return _checked(_json(option, value), option)
    if "," in value:
        return _checked([name.strip() for name in value.split(",")], option)
    if not Path(value).exists():
        raise UserInputError(
            f"{option}: found {value!r}, not a file; expected names with commas", "Such as O,B-PER,I-PER"
        )
    text = read_text(Path(value))
    if _JSON.match(text):
        return _checked(_numbered(_json(value, text)), value)
    return _checked([line.strip() for line in text.split("\n") if line.strip()], value)


def tag_names_text(names: Sequence[str]) -> str:
    """Names in a format of parse_tag_names."""
    simple = len(names) > 1 and not any("," in name or name.startswith("[") for name in names)
    return ",".join(names) if simple else json.dumps(list(names), ensure_ascii=False)


def _numbered(record: Any) -> Any:
    """The names of an object in the order of their numbers, or None."""
    if not isinstance(record, dict):
        return record
    names = record.get("id2label", record)
    if not isinstance(names, dict) or set(names) != {str(number) for number in range(len(names))}:
        return None
    return [names[str(number)] for number in range(len(names))]


def _checked(names: Any, where: str) -> tuple[str, ...]:
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise UserInputError(f"{where}: expected the names of labels, from number 0 on", "Such as O,B-PER,I-PER")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserInputError(f"{where}: the label {twice!r} has two numbers", "Name each label once.")
    return tuple(names)


def _json(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserInputError(f"{where}: not JSON: {error}", "Write one name per line instead.") from None
