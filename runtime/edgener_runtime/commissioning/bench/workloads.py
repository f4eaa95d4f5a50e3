"""The texts that are run: the user's own, synthetic ones, or texts of a fixed length; the same on all machines."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edgener_runtime.commissioning.bench.results.record import Workload
from edgener_runtime.errors import UserInputError
from edgener_runtime.text.cut import split_text
from edgener_runtime.text.inputs import read_records
from edgener_runtime.text.tokenize import TextTokenizer

from .spec import Gold, Spec, Text

SYNTHETIC = "made-up"  # the name in results; `edgener compare` matches workloads by it
_TEXTS_PER_LENGTH = 64  # texts
_WORDS_TRIED = 4000


@dataclass(frozen=True)
class GoldEntities:
    """The gold entities of a workload's texts, and the words that are labelled to find them."""

    entities: tuple[tuple[Gold, ...], ...]
    words: tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True)
class WorkloadTexts:
    """The texts of a workload, the subwords of each with special tokens, and their gold entities if known."""

    name: str
    texts: tuple[str, ...]
    subwords: tuple[int, ...]
    gold: GoldEntities | None = None

    def record(self) -> Workload:
        """The record of these texts in a result."""
        digest = hashlib.sha256(json.dumps(self.texts).encode("ascii"))
        return Workload(self.name, len(self.texts), sum(self.subwords), digest.hexdigest(), self.gold is not None)


@dataclass(frozen=True)
class Workloads:
    """The workloads of a worker, without gold entities."""

    workloads: tuple[WorkloadTexts, ...]


@dataclass(frozen=True)
class WorkloadGold:
    """The gold entities of each workload."""

    workloads: tuple[GoldEntities | None, ...]


def write_workloads(workloads: Sequence[WorkloadTexts], folder: Path) -> tuple[Path, Path | None]:
    """Write the files that a worker reads: the workloads, and their gold entities if there are any."""
    texts, gold = folder / "workloads.json", folder / "gold.json"
    texts.write_text(
        json.dumps(asdict(Workloads(tuple(replace(workload, gold=None) for workload in workloads)))), encoding="ascii"
    )
    if not any(workload.gold for workload in workloads):
        return texts, None
    gold.write_text(json.dumps(asdict(WorkloadGold(tuple(workload.gold for workload in workloads)))), encoding="ascii")
    return texts, gold


def read_input(source: str, form: str) -> tuple[Text, ...]:
    """The texts of a file; JSON Lines may have `entities` with label, start and end, and `words` as a list of start
    and end. Raises UserInputError."""
    records = read_records(source, form)
    return tuple(Text(record["text"], _gold(record, source), _words(record.get("words"))) for record in records)


def make_workloads(spec: Spec, tokenizer: TextTokenizer) -> list[WorkloadTexts]:
    """The workloads of a spec. Raises UserInputError for a length that no text can have."""
    from edgener_runtime.commissioning.tune import synthetic_texts

    workloads = [_own(spec, tokenizer)] if spec.texts else []
    workloads += [_workload(f"{length} subwords", _of_length(length, tokenizer), tokenizer) for length in spec.lengths]
    return workloads or [_workload(SYNTHETIC, synthetic_texts(tokenizer), tokenizer)]


def _gold(record: dict[str, object], source: str) -> tuple[Gold, ...] | None:
    entities = record.get("entities")
    if entities is None:
        return None
    try:
        return tuple(Gold(str(one["label"]), int(one["start"]), int(one["end"])) for one in entities)  # type: ignore[attr-defined]
    except (TypeError, KeyError, ValueError):
        raise UserInputError(
            f"{source}: found the entities {str(entities)[:60]}, expected a list of objects with label, start and end"
        ) from None


def _words(words: object) -> tuple[tuple[int, int], ...] | None:
    """Words as starts and ends; None if a file's field of that name has another meaning."""
    if not isinstance(words, list):
        return None
    pairs = [pair for pair in words if isinstance(pair, list) and [type(end) for end in pair] == [int, int]]
    return tuple((start, end) for start, end in pairs) if len(pairs) == len(words) else None


def _own(spec: Spec, tokenizer: TextTokenizer) -> WorkloadTexts:
    """The user's texts; without words they are split like labelled data without words."""
    workload = _workload(spec.data, [text.text for text in spec.texts], tokenizer)
    if not spec.is_labelled:
        return workload
    entities = tuple(text.entities or () for text in spec.texts)
    return replace(workload, gold=GoldEntities(entities, tuple(text.words or _cut(text) for text in spec.texts)))


def _cut(text: Text) -> tuple[tuple[int, int], ...]:
    return split_text(text.text, (end for one in text.entities or () for end in (one.start, one.end)))


def _workload(name: str, texts: Sequence[str], tokenizer: TextTokenizer) -> WorkloadTexts:
    special = len(tokenizer.prefix) + len(tokenizer.suffix)
    return WorkloadTexts(name, tuple(texts), tuple(len(encoded.ids) + special for encoded in tokenizer.encode(texts)))


def _of_length(length: int, tokenizer: TextTokenizer) -> list[str]:
    """Texts of exactly `length` subwords with special tokens, made of words that are one subword each."""
    count = length - len(tokenizer.prefix) - len(tokenizer.suffix)
    if count < 1:
        raise UserInputError(
            f"a text of {length} subwords is impossible: {length - count} of them are special tokens",
            f"Ask for at least {length - count + 1}: --length {length - count + 1}",
        )
    words = list(_single_words(tokenizer))
    chance = random.Random(length)
    texts = [" ".join(chance.choices(words, k=count)) for _ in range(_TEXTS_PER_LENGTH)] if words else []
    if not texts or any(len(encoded.ids) != count for encoded in tokenizer.encode(texts)):
        raise UserInputError(
            f"no texts of exactly {length} subwords can be made of this vocabulary", "Use your own texts: --input"
        )
    return texts


def _single_words(tokenizer: TextTokenizer) -> Iterator[str]:
    """Words that are one subword at any position of a text."""
    known = (subword.strip("▁Ġ") for subword in tokenizer.vocabulary() if not subword.startswith("##"))
    words = sorted({word for word in known if word.isalpha()})
    tried = random.Random(0).sample(words, min(len(words), _WORDS_TRIED))
    for word, encoded in zip(tried, tokenizer.encode([f"{word} {word} {word}" for word in tried]), strict=True):
        if len(encoded.ids) == 3:
            yield word
