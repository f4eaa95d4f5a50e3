"""Texts of an exact number of subwords, from words of a data set."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

from edgener_runtime.errors import UserInputError

OF_EACH = 4  # texts of one length
_TRIED = 2000  # different words


def of_lengths(
    texts: Iterable[str], count: Callable[[Sequence[str]], int], around: int, lengths: Sequence[int]
) -> dict[str, list[str]]:
    """Texts for each number of subwords, `around` of them special tokens; `count` counts the others.

    They are made of words that are one subword each. Raises UserInputError where there are none.
    """
    words = [*dict.fromkeys(word for text in texts for word in text.split())][:_TRIED]
    single = [word for word in words if count([word]) == 1]
    if not single:
        raise UserInputError("no word of the data is a single subword", "Name data in the language of the model.")
    chance = random.Random(1)
    found = {
        str(length): [" ".join(chance.choices(single, k=length - around)) for _ in range(OF_EACH)] for length in lengths
    }
    for length, made in found.items():
        if (subwords := count(made)) != OF_EACH * (int(length) - around):
            raise UserInputError(f"texts for {length} subwords have {subwords / OF_EACH + around:g}: words join")
    return found
