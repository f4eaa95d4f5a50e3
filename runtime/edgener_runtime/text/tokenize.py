"""Text to subwords and windows with the tokenizers library, by the settings of the bundle's manifest."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from edgener_runtime.base.memory import require_memory
from edgener_runtime.base.printable import escaped
from edgener_runtime.bundle.manifest import TokenizerSettings
from edgener_runtime.bundle.tokenizer_trial import PLAIN_TEXT, fault_of
from edgener_runtime.errors import BundleError, TextError

from .casing import case_classes
from .windows import Window, plan

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_SURROGATES = re.compile("[\ud800-\udfff]")  # no UTF-8 has them; U+FFFD keeps the offsets
_BYTES_PER_CHARACTER = 250  # that the tokenizers library uses meanwhile, measured on words; without them it aborts
_MANY_CHARACTERS = 50_000  # with fewer, the memory left is not checked
NO_EMBEDDING = "Resize the model's embeddings to its tokenizer, fine-tune it, and export the bundle again."


@dataclass(frozen=True)
class Subwords:
    """A text's subwords without special tokens: ids, (start, end) in characters, case classes."""

    text: str
    ids: list[int]
    offsets: list[tuple[int, int]]
    classes: list[int]
    find_continuing: Callable[[], list[bool]] = field(compare=False, repr=False)

    @property
    def continues(self) -> list[bool]:
        """Whether each subword continues a word; computed when needed, as not every decoding uses it."""
        return self.find_continuing()


class TextTokenizer:
    """Encodes whole texts, whatever truncation and padding tokenizer.json sets, and divides them into windows.

    `data` are the bytes of the file where it was read before.
    """

    def __init__(self, file: Path, settings: TokenizerSettings, data: bytes | None = None) -> None:
        self.settings = settings
        self._tokenizer = _load(file, data)
        self._word_aware = bool(getattr(self._tokenizer.model, "continuing_subword_prefix", None))
        self.unknown = _unknown_id(self._tokenizer)
        self._embeddings = sys.maxsize if settings.embeddings is None else settings.embeddings
        self.prefix, self.suffix = _special_tokens(self._tokenizer)
        self._require_embeddings(file)
        self.size = settings.max_length - len(self.prefix) - len(self.suffix)
        if self.size < 1 or settings.stride < 0:
            raise BundleError(
                f"{file} adds {len(self.prefix) + len(self.suffix)} special tokens to each text: a maximum length of "
                f"{settings.max_length} and a stride of {settings.stride} subwords give no windows",
                "Export the bundle again.",
            )

    def _require_embeddings(self, file: Path) -> None:
        """Raise BundleError where every text, or a plain one, has ids that the model has no embedding for."""
        plain = self._tokenizer.encode(PLAIN_TEXT, add_special_tokens=False).ids
        for what, ids in (("special tokens", [*self.prefix, *self.suffix]), ("subwords of a plain sentence", plain)):
            if max(ids, default=0) >= self._embeddings:
                raise BundleError(
                    f"the {what} of {file} have the ids {str(ids)[:60]}, and the model has "
                    f"embeddings for the ids 0 to {self._embeddings - 1}",
                    NO_EMBEDDING,
                )

    def encode(self, texts: Sequence[str]) -> list[Subwords]:
        """Subwords of each text, without truncation; a lone surrogate is read as U+FFFD.

        Raises DeviceError where there is known to be too little memory for texts of this length, TextError where the
        model has no embedding for a subword.
        """
        characters = sum(map(len, texts))
        if characters > _MANY_CHARACTERS:
            require_memory(characters * _BYTES_PER_CHARACTER, f"tokenising {characters:,} characters")
        clean = [without_surrogates(text) for text in texts]
        encodings = self._encodings(clean)
        return [self._subwords(text, encoding) for text, encoding in zip(clean, encodings, strict=True)]

    def count(self, texts: Sequence[str]) -> int:
        """The subwords of all texts; they are encoded one by one, which takes the memory of one."""
        return sum(len(self._encodings([without_surrogates(text)])[0].ids) for text in texts)

    def _subwords(self, text: str, encoding: Encoding) -> Subwords:
        ids, offsets = encoding.ids, encoding.offsets  # the library makes a new list at each access
        if max(ids, default=0) >= self._embeddings:
            raise self._without_embedding(text, ids, offsets)
        return Subwords(text, ids, offsets, self._classes(text, offsets), partial(self._continues, text, encoding))

    def _without_embedding(self, text: str, ids: list[int], offsets: list[tuple[int, int]]) -> TextError:
        at = next(index for index, number in enumerate(ids) if number >= self._embeddings)
        start, end = offsets[at]
        return TextError(
            f"the subword {text[start:end]!r} at characters {start} to {end} has id {ids[at]}, "
            f"and the model has embeddings for the ids 0 to {self._embeddings - 1}",
            NO_EMBEDDING,
        )

    def _encodings(self, texts: list[str]) -> list[Encoding]:
        """A single text does not use the library's threads: to wake one takes longer than most texts do."""
        try:
            with _panics_as_errors():
                if len(texts) == 1:
                    return [self._tokenizer.encode(texts[0], add_special_tokens=False)]
                return self._tokenizer.encode_batch(texts, add_special_tokens=False)
        except Exception as error:  # noqa: BLE001 - the library raises no narrower class
            raise TextError(
                f"the bundle's tokenizer cannot divide the text: {escaped(str(error))[:200]}",
                "Export the bundle again, from a checkpoint whose tokenizer knows every text.",
            ) from None

    def vocabulary(self) -> list[str]:
        """Every subword of the tokenizer, in alphabetical order."""
        return sorted(self._tokenizer.get_vocab())

    def windows(self, subwords: Subwords) -> Iterator[tuple[Window, list[int], list[int]]]:
        """Each window of a text with its input ids and token types, special tokens added."""
        for window in plan(len(subwords.ids), self.size, min(self.settings.stride, self.size - 1)):
            ids = [*self.prefix, *subwords.ids[window.start : window.end], *self.suffix]
            types = [*[0] * len(self.prefix), *subwords.classes[window.start : window.end], *[0] * len(self.suffix)]
            yield window, ids, types

    def _continues(self, text: str, encoding: Encoding) -> list[bool]:
        """Whether each subword continues a word, by the rule of transformers' token-classification pipeline."""
        if self._word_aware:
            return [
                len(token) != end - start and index != self.unknown
                for index, token, (start, end) in zip(encoding.ids, encoding.tokens, encoding.offsets, strict=True)
            ]
        return [
            start > 0 and " " not in text[start - 1 : start + 1] and index != self.unknown
            for index, (start, _) in zip(encoding.ids, encoding.offsets, strict=True)
        ]

    def _classes(self, text: str, offsets: list[tuple[int, int]]) -> list[int]:
        if not self.settings.case_channel:
            return [0] * len(offsets)
        return case_classes(text, [_first_letter(text, start, end) for start, end in offsets])


def without_surrogates(text: str) -> str:
    """A text with U+FFFD for each lone surrogate, which no tokenizer accepts."""
    return _SURROGATES.sub("\ufffd", text)


def _load(file: Path, data: bytes | None) -> Tokenizer:
    from tokenizers import Tokenizer

    hint = "Copy the bundle again, or export it again."
    try:
        with _panics_as_errors():
            tokenizer: Tokenizer = Tokenizer.from_buffer(file.read_bytes() if data is None else data)
            tokenizer.no_truncation()
            tokenizer.no_padding()
            alone = tokenizer.encode("a").special_tokens_mask
            fault = fault_of(tokenizer) if 0 in alone else "it drops the text 'a'"
    except Exception as error:  # noqa: BLE001 - the library raises no narrower class
        raise BundleError(f"{file} cannot be read as a tokenizer: {escaped(str(error))[:200]}", hint) from None
    if fault:
        raise BundleError(f"{file} is not a tokenizer of whole texts: {escaped(fault)}", hint)
    return tokenizer


@contextmanager
def _panics_as_errors() -> Iterator[None]:
    """A panic of the library, which is not an Exception, as a ValueError."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"the tokenizers library failed: {error}") from None


def _unknown_id(tokenizer: Tokenizer) -> int | None:
    """The id of what is not in the vocabulary; the Unigram model has it only in its state."""
    unknown = getattr(tokenizer.model, "unk_token", None)
    if unknown is not None:
        return tokenizer.token_to_id(unknown)
    if type(tokenizer.model).__name__ == "Unigram":
        return cast("int | None", json.loads(tokenizer.model.__getstate__())["unk_id"])
    return None


def _special_tokens(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The ids before and after a text, found by encoding one word."""
    encoding = tokenizer.encode("a")
    special = encoding.special_tokens_mask
    first = special.index(0)
    last = len(special) - special[::-1].index(0)
    return encoding.ids[:first], encoding.ids[last:]


def _first_letter(text: str, start: int, end: int) -> int:
    """Some tokenizers count the space before a word as part of its first subword."""
    while start < end - 1 and text[start].isspace():
        start += 1
    return start
