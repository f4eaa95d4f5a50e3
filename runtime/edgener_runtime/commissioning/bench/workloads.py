"""The texts that are run: the user's own, made-up ones, or texts of a fixed length; on all machines the same."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edgener_runtime.commissioning.bench.results.record import Work
from edgener_runtime.errors import UserInputError
from edgener_runtime.text.cut import split_text
from edgener_runtime.text.inputs import read_records
from edgener_runtime.text.tokenize import TextTokenizer

from .spec import Gold, Spec, Text

MADE_UP = "made-up"
_OF_A_LENGTH = 64  # texts
_WORDS_TRIED = 4000


@dataclass(frozen=True)
class GoldEntities:
    """The entities that the texts of a work are known to have, and the words that are labelled to find them."""

    entities: tuple[tuple[Gold, ...], ...]
    words: tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True)
class WorkTexts:
    """Texts of a work with the subwords of each, special tokens included, and their entities where they are known."""

    name: str
    texts: tuple[str, ...]
    subwords: tuple[int, ...]
    gold: GoldEntities | None = None

    def record(self) -> Work:
        """What a result says of them."""
        digest = hashlib.sha256(json.dumps(self.texts).encode("ascii"))
        return Work(self.name, len(self.texts), sum(self.subwords), digest.hexdigest(), self.gold is not None)


@dataclass(frozen=True)
class Works:
    """What a worker is told to run texts of, without their entities."""

    works: tuple[WorkTexts, ...]


@dataclass(frozen=True)
class GoldOfWorks:
    """The entities of each work."""

    works: tuple[GoldEntities | None, ...]


def write_works(works: Sequence[WorkTexts], folder: Path) -> tuple[Path, Path | None]:
    """The files that a worker reads: of the works, and of their entities, where there are any."""
    texts, gold = folder / "works.json", folder / "gold.json"
    texts.write_text(json.dumps(asdict(Works(tuple(replace(work, gold=None) for work in works)))), encoding="ascii")
    if not any(work.gold for work in works):
        return texts, None
    gold.write_text(json.dumps(asdict(GoldOfWorks(tuple(work.gold for work in works)))), encoding="ascii")
    return texts, gold


def read_input(source: str, form: str) -> tuple[Text, ...]:
    """The texts of a file; JSON Lines may carry `entities` with label, start and end, and `words`, a list of start and
    end of each. Raises UserInputError."""
    records = read_records(source, form)
    return tuple(Text(record["text"], _gold(record, source), _words(record.get("words"))) for record in records)


def make_works(spec: Spec, tokenizer: TextTokenizer) -> list[WorkTexts]:
    """The works that a spec asks for. Raises UserInputError for a length that no text can have."""
    from edgener_runtime.commissioning.tune import made_up_texts

    works = [_own(spec, tokenizer)] if spec.texts else []
    works += [_work(f"{length} subwords", _of_length(length, tokenizer), tokenizer) for length in spec.lengths]
    return works or [_work(MADE_UP, made_up_texts(tokenizer), tokenizer)]


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
    """Words as starts and ends; None for whatever else a file's own field of that name holds."""
    if not isinstance(words, list):
        return None
    pairs = [pair for pair in words if isinstance(pair, list) and [type(end) for end in pair] == [int, int]]
    return tuple((start, end) for start, end in pairs) if len(pairs) == len(words) else None


def _own(spec: Spec, tokenizer: TextTokenizer) -> WorkTexts:
    """The user's texts; where words are not known, they are cut as labelled data without words is."""
    work = _work(spec.data, [text.text for text in spec.texts], tokenizer)
    if not spec.is_labelled:
        return work
    entities = tuple(text.entities or () for text in spec.texts)
    return replace(work, gold=GoldEntities(entities, tuple(text.words or _cut(text) for text in spec.texts)))


def _cut(text: Text) -> tuple[tuple[int, int], ...]:
    return split_text(text.text, (end for one in text.entities or () for end in (one.start, one.end)))


def _work(name: str, texts: Sequence[str], tokenizer: TextTokenizer) -> WorkTexts:
    special = len(tokenizer.prefix) + len(tokenizer.suffix)
    return WorkTexts(name, tuple(texts), tuple(len(encoded.ids) + special for encoded in tokenizer.encode(texts)))


def _of_length(length: int, tokenizer: TextTokenizer) -> list[str]:
    """Texts of exactly so many subwords, special tokens included, of words that are one subword each."""
    count = length - len(tokenizer.prefix) - len(tokenizer.suffix)
    if count < 1:
        raise UserInputError(
            f"a text of {length} subwords cannot be: {length - count} of them are special tokens",
            f"Ask for at least {length - count + 1}: --lengths {length - count + 1}",
        )
    words = list(_single_words(tokenizer))
    chance = random.Random(length)
    texts = [" ".join(chance.choices(words, k=count)) for _ in range(_OF_A_LENGTH)] if words else []
    if not texts or any(len(encoded.ids) != count for encoded in tokenizer.encode(texts)):
        raise UserInputError(
            f"no texts of exactly {length} subwords can be made of this vocabulary", "Give texts of your own: --input"
        )
    return texts


def _single_words(tokenizer: TextTokenizer) -> Iterator[str]:
    """Words that are one subword, wherever in a text they stand."""
    known = (subword.strip("▁Ġ") for subword in tokenizer.vocabulary() if not subword.startswith("##"))
    words = sorted({word for word in known if word.isalpha()})
    tried = random.Random(0).sample(words, min(len(words), _WORDS_TRIED))
    for word, encoded in zip(tried, tokenizer.encode([f"{word} {word} {word}" for word in tried]), strict=True):
        if len(encoded.ids) == 3:
            yield word
