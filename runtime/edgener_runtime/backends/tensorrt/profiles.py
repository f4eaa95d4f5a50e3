"""Optimisation profiles: the shapes that an engine takes, and those that it is optimised for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    from edgener_runtime.text.tokenize import TextTokenizer

Shape = tuple[int, int]
"""Rows of a batch, and subwords of each with special tokens and padding."""

BATCH = 8  # rows of the larger profile, unless asked for otherwise
SENTENCE = 32  # subwords of a text where no texts are given
_STEP = 8  # tensor cores work on multiples of it
_SHAPE = re.compile(r"(\d+)x(\d+)")


@dataclass(frozen=True)
class Profile:
    """The smallest, optimal and largest shape (rows, subwords) of one profile of an engine."""

    minimum: Shape
    optimum: Shape
    maximum: Shape

    def __str__(self) -> str:
        return " ".join(f"{rows}x{subwords}" for rows, subwords in (self.minimum, self.optimum, self.maximum))

    def takes(self, rows: int, subwords: int) -> bool:
        """Whether a batch of this shape may run in this profile."""
        (fewest, shortest), (most, longest) = self.minimum, self.maximum
        return fewest <= rows <= most and shortest <= subwords <= longest


def profiles_for(lengths: Sequence[int], max_length: int, rows: int = BATCH) -> tuple[Profile, ...]:
    """One profile for a single text and one for batches of up to `rows`, both up to the tokenizer's `max_length`.

    `lengths` are subwords of typical windows: the median is the optimum of a single text, the 90 % quantile that of a
    batch, which is as long as its longest row.
    """
    if rows < 1:
        raise UserInputError(f"the batch of a profile is {rows}, expected at least 1")
    known = sorted(lengths) or [SENTENCE]
    alone, together = (_rounded(_quantile(known, share), max_length) for share in (0.5, 0.9))
    one = Profile((1, 1), (1, alone), (1, max_length))
    return (one,) if rows == 1 else (one, Profile((1, 1), (rows, together), (rows, max_length)))


def window_lengths(tokenizer: TextTokenizer, texts: Sequence[str]) -> list[int]:
    """Subwords, with special tokens, of each window that these texts are cut into."""
    return [len(ids) for subwords in tokenizer.encode(texts) for _, ids, _ in tokenizer.windows(subwords)]


def profiles_by_hand(
    minima: Sequence[str], optima: Sequence[str], maxima: Sequence[str], inputs: Sequence[str]
) -> tuple[Profile, ...]:
    """A profile of each three shapes in trtexec's notation: `input_ids:1x16,attention_mask:1x16`, or `1x16` for all.

    Raises UserInputError where they cannot be read, name other inputs than `inputs`, or are not equally many.
    """
    counts = [len(shapes) for shapes in (minima, optima, maxima)]
    if len(set(counts)) > 1:
        raise UserInputError(
            f"found {counts[0]} smallest, {counts[1]} optimal and {counts[2]} largest shapes; each profile has one",
            "Give --min-shapes, --opt-shapes and --max-shapes once for each profile.",
        )
    shapes = ([parse_shape(text, inputs) for text in given] for given in (minima, optima, maxima))
    return tuple(Profile(*triple) for triple in zip(*shapes, strict=True))


def parse_shape(text: str, inputs: Sequence[str]) -> Shape:
    """The shape of all inputs. Raises UserInputError where it is not a shape, or the inputs differ."""
    named = [part.rpartition(":") for part in text.split(",")]
    shapes = {_parse(shape.strip(), text) for _, _, shape in named}
    names = [name.strip() for name, _, _ in named]
    if names != [""] and sorted(names) != sorted(inputs):
        raise UserInputError(
            f"shapes are given for {', '.join(names)}; the model's inputs are {', '.join(inputs)}",
            f"Name each of them once, or give one shape for all: {named[0][2]}",
        )
    if len(shapes) > 1:
        raise UserInputError(f"the inputs differ in shape: {text}", "All inputs of one run have the same shape.")
    return shapes.pop()


def check_profiles(profiles: Sequence[Profile], max_length: int) -> None:
    """Refuse profiles that TensorRT builds silently and then fails at or never runs.

    Raises UserInputError where a shape is empty, out of order or longer than the tokenizer's `max_length` (the model
    has no further positions), where two profiles are alike, or where none takes the longest window.
    """
    if not profiles:
        raise UserInputError("no profile was given", "Leave the shapes out to have profiles made.")
    for profile in profiles:
        _check(profile, max_length)
    for one, other in combinations(profiles, 2):
        if (one.minimum, one.maximum) == (other.minimum, other.maximum):
            raise UserInputError(f"two profiles take the same shapes: {one} and {other}", "Leave one of them out.")
    if not any(profile.takes(profile.minimum[0], max_length) for profile in profiles):
        longest = max(profile.maximum[1] for profile in profiles)
        raise UserInputError(
            f"no profile takes more than {longest} subwords; long texts come in windows of {max_length}",
            f"Let one profile go up to {max_length} subwords, or export with a smaller --max-length.",
        )


def _check(profile: Profile, max_length: int) -> None:
    for small, middle, large, what in zip(profile.minimum, profile.optimum, profile.maximum, _WHAT, strict=True):
        if not 1 <= small <= middle <= large:
            raise UserInputError(
                f"profile {profile}: {what} are {small}, {middle} and {large}, expected 1 <= min <= opt <= max"
            )
    if profile.maximum[1] > max_length:
        raise UserInputError(
            f"profile {profile}: {profile.maximum[1]} subwords, the model takes {max_length}",
            f"Go up to {max_length} subwords at most.",
        )


_WHAT = ("rows", "subwords")


def _parse(shape: str, text: str) -> Shape:
    if not (found := _SHAPE.fullmatch(shape)):
        raise UserInputError(
            f"{text!r} is not a shape, expected rows x subwords",
            "For example 1x16, or input_ids:1x16,attention_mask:1x16",
        )
    return int(found[1]), int(found[2])


def _quantile(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _rounded(length: int, most: int) -> int:
    """Up to the next multiple, and at most `most`."""
    return min(most, -(-length // _STEP) * _STEP)
