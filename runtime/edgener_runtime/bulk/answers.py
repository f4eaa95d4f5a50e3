"""The answers of many values that should be texts: entities, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from edgener_runtime.decoding.entity import Decoding, Entity
from edgener_runtime.errors import EdgenerError, TextError

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

_PROBE = "probe"  # any text will do
_SHOWN = 200  # characters of a rejected text
_NULLS = ("NAType", "NaTType")  # of pandas, which is not imported for them


@dataclass(frozen=True)
class Rejection:
    """Why a value has no entities, and how it begins."""

    reason: str
    text: str = ""


TextAnswer: TypeAlias = "list[Entity] | Rejection"


def answer_values(
    classifier: TokenClassifier, values: Sequence[object], decoding: Decoding, max_characters: int
) -> list[TextAnswer]:
    """The entities of each value, or why it is rejected.

    Raises the error of the run where no text was answered and no other is: then the device fails, not the texts.
    """
    texts = [text_of(value, max_characters) for value in values]
    sound = [text for text in texts if isinstance(text, str)]
    found = iter(_answers(classifier, sound, decoding))
    return [_rejected(text, next(found)) if isinstance(text, str) else text for text in texts]


def _answers(
    classifier: TokenClassifier, texts: list[str], decoding: Decoding
) -> Sequence[list[Entity] | EdgenerError]:
    found = classifier.predict_batch(texts, decoding, return_errors=True)
    if texts and not any(isinstance(answer, (list, TextError)) for answer in found):
        classifier.predict(_PROBE, decoding)
    return found


def _rejected(text: str, answer: list[Entity] | EdgenerError) -> TextAnswer:
    return Rejection(answer.message, text[:_SHOWN]) if isinstance(answer, EdgenerError) else answer


def text_of(value: object, max_characters: int) -> str | Rejection:
    """The text that a value is, UTF-8 where it is bytes, or why it is none."""
    if isinstance(value, Rejection):
        return value
    if value is None or type(value).__name__ in _NULLS or (isinstance(value, float) and value != value):
        return Rejection("null in place of a text")
    if isinstance(value, bytes):
        return _decoded(value, max_characters)
    if not isinstance(value, str):
        return Rejection(f"{type(value).__name__} in place of a text", str(value)[:_SHOWN])
    if len(value) > max_characters:
        return Rejection(f"longer than {max_characters:,} characters", value[:_SHOWN])
    return value


def _decoded(value: bytes, max_characters: int) -> str | Rejection:
    if len(value) > 4 * max_characters:  # bytes of a character at most
        return Rejection(f"longer than {max_characters:,} characters", excerpt(value))
    try:
        return text_of(value.decode("utf-8"), max_characters)
    except UnicodeDecodeError as error:
        return Rejection(f"not UTF-8: byte 0x{value[error.start]:02x} at byte {error.start}", excerpt(value))


def excerpt(data: bytes) -> str:
    """How bytes begin, those that are not UTF-8 as escapes."""
    return data[: 4 * _SHOWN].decode("utf-8", "backslashreplace")[:_SHOWN]
