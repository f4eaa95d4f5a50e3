"""Texts in chunks that fit in memory, after a check that each is a string."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edgener_runtime.errors import UserInputError

_CHARACTERS_AHEAD = 250_000  # at most so many characters at once, or one text


class ProbeText(str):
    """A text of the program itself, to see that the model answers: monitoring does not count it."""

    __slots__ = ()


def checked(texts: Iterable[str]) -> Iterator[str]:
    """The texts. Raises UserInputError where one is not a string, or where a string is given in place of a list."""
    if isinstance(texts, (str, bytes)):
        raise UserInputError(
            f"found one {type(texts).__name__} in place of a list of texts", "Use predict(text), or give [text]."
        )
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise UserInputError(f"text {number} is {type(text).__name__}, expected str", "Give each text as a string.")
        yield text


def chunks(texts: Iterable[str], count: int) -> Iterator[list[str]]:
    """Texts in order, in lists of at most `count` texts and a limited number of characters."""
    chunk: list[str] = []
    characters = 0
    for text in checked(texts):
        chunk.append(text)
        characters += len(text)
        if len(chunk) == count or characters >= _CHARACTERS_AHEAD:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
