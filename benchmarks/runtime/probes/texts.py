"""Random texts for the soak: every length is as likely as any other, and so is every code point of every plane."""

from __future__ import annotations

import random
from collections.abc import Iterator

LONGEST = 5000
_CODE_POINTS = range(0x110000)  # the surrogates too: a device gets what it gets


def random_texts(count: int, seed: int = 0) -> Iterator[str]:
    """`count` texts of 1 to `LONGEST` characters, the same for the same seed; every eighth character is a space."""
    generator = random.Random(seed)
    for _ in range(count):
        codes = generator.choices(_CODE_POINTS, k=generator.randint(1, LONGEST))
        codes[7::8] = [0x20] * len(codes[7::8])
        yield "".join(map(chr, codes))
