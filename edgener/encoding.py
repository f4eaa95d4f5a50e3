"""Text to model inputs with transformers' tokenizer, for training and for the PyTorch reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edgener_runtime.errors import UserInputError
from edgener_runtime.text.casing import case_classes
from edgener_runtime.text.tokenize import without_surrogates
from edgener_runtime.text.windows import Window, plan


@dataclass(frozen=True)
class EncodedText:
    """A text's subwords without special tokens: ids, and (start, end) in characters."""

    text: str
    ids: list[int]
    offsets: list[tuple[int, int]]


class TextEncoder:
    """Encodes whole texts and cuts them into windows with special tokens; `max_length` includes those."""

    def __init__(self, tokenizer: Any, max_length: int, stride: int, case_channel: bool, token_types: bool) -> None:
        self.tokenizer = tokenizer
        self.case_channel = case_channel
        self.token_types = token_types
        self.prefix, self.suffix = _special_tokens(tokenizer)
        self.size = max_length - len(self.prefix) - len(self.suffix)
        self.stride = min(stride, self.size - 1)

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """All subwords of each text; a lone surrogate becomes U+FFFD."""
        clean = [without_surrogates(text) for text in texts]
        tokenized = self.tokenizer(
            clean, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
        )
        return [
            EncodedText(text, ids, [(start, end) for start, end in offsets])
            for text, ids, offsets in zip(clean, tokenized["input_ids"], tokenized["offset_mapping"], strict=True)
        ]

    def windows(self, encoded: EncodedText) -> Iterator[tuple[Window, dict[str, list[int]]]]:
        """The windows of a text with their inputs; subword i is at position i - start + len(prefix)."""
        classes = self._token_types(encoded)
        for window in plan(len(encoded.ids), self.size, self.stride):
            ids = [*self.prefix, *encoded.ids[window.start : window.end], *self.suffix]
            inputs = {"input_ids": ids, "attention_mask": [1] * len(ids)}
            if self.token_types:
                types = classes[window.start : window.end]
                inputs["token_type_ids"] = [*[0] * len(self.prefix), *types, *[0] * len(self.suffix)]
            yield window, inputs

    def _token_types(self, encoded: EncodedText) -> list[int]:
        if not self.case_channel:
            return [0] * len(encoded.ids)
        return case_classes(encoded.text, [_first_letter(encoded.text, *offsets) for offsets in encoded.offsets])


def load_tokenizer(source: str) -> Any:
    """A fast tokenizer without the truncation and padding of some tokenizer.json files.

    Raises UserInputError where `source` has no tokenizer that can be loaded.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True)
    except Exception as error:  # the loader raises exceptions of many kinds; the message has the source and the reason
        raise UserInputError(
            f"cannot load a tokenizer from {source}: {type(error).__name__}: {str(error).splitlines()[0]}",
            "Name a model folder, package:NAME/FOLDER or a hub id.",
        ) from error
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def _special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The ids before and after a text, from the encoding of one word."""
    encoded = tokenizer("a", return_special_tokens_mask=True)
    ids, special = encoded["input_ids"], encoded["special_tokens_mask"]
    first = special.index(0)
    last = len(special) - special[::-1].index(0)
    return ids[:first], ids[last:]


def _first_letter(text: str, start: int, end: int) -> int:
    """The first non-space character; some tokenizers include the space before a word in its first subword."""
    while start < end - 1 and text[start].isspace():
        start += 1
    return start
