"""Factory sentences from a seed, the same on every machine and Python."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from random import Random

from edgener.data.sentences import sentence_of_text
from edgener.data.types import Dataset, Sentence, Span

from . import lexicon
from .templates import KINDS, WEIGHTS

SIZES = {"train": 2000, "valid": 300, "test": 600}
_SLOT = re.compile(r"\{(\w+)\}")


class _Words:
    """Draws the content of slots; held-out words are drawn only where `held_out` is true."""

    def __init__(self, random: Random, held_out: bool) -> None:
        self.random = random
        self.held_out = held_out
        self.slots: dict[str, Callable[[], str]] = {
            "EQUIPMENT": self.equipment,
            "COMPONENT": lambda: self.choice(lexicon.COMPONENTS),
            "FAULT": lambda: self.choice(lexicon.FAULTS),
            "ACTION": lambda: self.choice(lexicon.ACTIONS),
            "LOCATION": self.location,
            "MEASUREMENT": self.measurement,
            "PART_NUMBER": self.part_number,
            "n": lambda: str(self.number(1, 12)),
            "time": lambda: f"{self.number(0, 23):02}:{self.number(0, 59):02}",
            "code": self.code,
        }

    def choice(self, words: tuple[str, ...]) -> str:
        pool = words if self.held_out else [word for index, word in enumerate(words) if index % 4 != 3]
        return pool[self.number(0, len(pool) - 1)]

    def number(self, low: int, high: int) -> int:
        return low + int(self.random.random() * (high - low + 1))

    def one_in(self, count: int) -> bool:
        return self.number(1, count) == 1

    def code(self) -> str:
        """A code that may name a machine, a location or a part; only the sentence decides."""
        letters = lexicon.TAG_LETTERS[self.number(0, len(lexicon.TAG_LETTERS) - 1)]
        return f"{letters}{'-' if self.one_in(2) else ''}{self.number(1, 9999)}"

    def equipment(self) -> str:
        machine = self.choice(lexicon.MACHINES)
        return (machine, f"{machine} {self.number(1, 9)}", f"{machine} {self.code()}", self.code())[self.number(0, 3)]

    def location(self) -> str:
        return self.code() if self.one_in(5) else self.choice(lexicon.LOCATIONS)

    def measurement(self) -> str:
        unit, low, high = lexicon.UNITS[self.number(0, len(lexicon.UNITS) - 1)]
        value = f"{self.number(low, high)}" + (f".{self.number(0, 9)}" if self.one_in(3) else "")
        return f"{value}{'' if self.one_in(3) else ' '}{unit}"

    def part_number(self) -> str:
        number = f"{self.number(10, 9999)}-{self.number(1, 99)}" if self.one_in(2) else self.code()
        maker = lexicon.MAKERS[self.number(0, len(lexicon.MAKERS) - 1)]
        return (number, f"{maker} {number}", f"PN {number}", f"{number}{'RS' if self.one_in(2) else 'X'}")[
            self.number(0, 3)
        ]


def factory_splits(seed: int = 7) -> dict[str, Dataset]:
    """Train (2,000), valid (300) and test (600) sentences without overlap."""
    seen: set[str] = set()
    splits = {}
    for index, (split, size) in enumerate(SIZES.items()):
        words = _Words(Random(seed * 1000 + index), held_out=split != "train")
        sentences = tuple(_unseen(words, seen, number) for number in range(1, size + 1))
        splits[split] = Dataset("builtin:factory", split, sentences, "generated")
    return splits


def _unseen(words: _Words, seen: set[str], line: int) -> Sentence:
    while True:
        text, spans = _fill(words)
        if text.casefold() not in seen:
            seen.add(text.casefold())
            return sentence_of_text(text, spans, line, Counter())


def _fill(words: _Words) -> tuple[str, list[Span]]:
    """A template with filled slots, in hasty spelling."""
    kind = words.random.choices(KINDS, WEIGHTS)[0]
    template = words.choice(kind) if words.held_out else kind[words.number(0, len(kind) - 1)]
    style = (str.lower, str.upper, str.capitalize, str, str, str)[words.number(0, 5)]
    text, spans, position = "", [], 0
    for slot in _SLOT.finditer(template):
        text += style(template[position : slot.start()])
        filled = style(_hasty(words.slots[slot[1]](), words))
        if slot[1].isupper():
            spans.append(Span(slot[1], len(text), len(text) + len(filled)))
        text += filled
        position = slot.end()
    return text + style(template[position:]), spans


def _hasty(words_in_slot: str, words: _Words) -> str:
    """Abbreviate one time in three, and swap a pair of letters one time in twenty-five."""
    if words.one_in(3):
        words_in_slot = " ".join(lexicon.ABBREVIATIONS.get(word, word) for word in words_in_slot.split(" "))
    if words.one_in(25) and words_in_slot.isalpha() and len(words_in_slot) > 4:
        at = words.number(1, len(words_in_slot) - 3)
        words_in_slot = words_in_slot[:at] + words_in_slot[at + 1] + words_in_slot[at] + words_in_slot[at + 2 :]
    return words_in_slot
