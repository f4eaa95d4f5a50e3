"""Text to model inputs with transformers' tokenizer, for training and for the PyTorch reference."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener_exporters.checkpoint.adapter import tokenizer_folder
from edgener_exporters.libraries import reason_of
from edgener_runtime.errors import UserInputError
from edgener_runtime.text.casing import case_classes
from edgener_runtime.text.tokenize import without_surrogates
from edgener_runtime.text.windows import Window, plan

_SETTINGS = "tokenizer_config.json"


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
    """A fast tokenizer without the truncation and padding of some tokenizer.json files; code of `source` is never run.

    An adapter without a tokenizer has its base's.
    Raises UserInputError where `source` has no tokenizer that can be loaded, an empty one, or one that is not fast.
    """
    source = str(tokenizer_folder(Path(source)))
    _refuse_own_code(source)
    loader, options = _loader(source)
    try:
        tokenizer = loader.from_pretrained(source, use_fast=True, trust_remote_code=False, **options)
    except Exception as error:  # the loader raises exceptions of many kinds; the message has the source and the reason
        raise UserInputError(f"cannot load a tokenizer from {source}: {reason_of(error)}", _hint(source)) from error
    if not getattr(tokenizer, "is_fast", False):
        raise UserInputError(
            f"the tokenizer of {source}, {type(tokenizer).__name__}, has no fast form (tokenizer.json): only fast "
            "ones give the characters of each subword, and run on devices",
            "Fine-tune an encoder with a fast tokenizer.",
        )
    if len(tokenizer.get_vocab()) <= len(tokenizer.get_added_vocab()):
        raise UserInputError(
            f"{source} has no vocabulary: its tokenizer has no subwords, only special tokens",
            "Copy the tokenizer's files there: tokenizer.json, or vocab.txt.",
        )
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def check_token_ids(tokenizer: Any, model: Any, source: Path | str) -> int:
    """The number of embeddings for token ids. Raises UserInputError where the tokenizer has ids beyond them."""
    rows = int(model.get_input_embeddings().weight.shape[0])
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    if outside := sorted((index, token) for token, index in vocabulary.items() if index >= rows):
        named = ", ".join(repr(token) for _, token in outside[:3]) + (" ..." if len(outside) > 3 else "")
        raise UserInputError(
            f"{source}: the tokenizer has {outside[-1][0] + 1:,} token ids, the model's embeddings have {rows:,} rows: "
            f"none for {named}",
            "Before training: model.resize_token_embeddings(len(tokenizer)). A trained model needs its own tokenizer.",
        )
    return rows


def _hint(source: str) -> str:
    folder = Path(source)
    if [*folder.glob("*.model")] and not (folder / "tokenizer.json").is_file():
        return "Its vocabulary is a SentencePiece model, which transformers reads after: pip install sentencepiece"
    return "Name a model folder, package:NAME/FOLDER or a hub id."


def _refuse_own_code(source: str) -> None:
    """Refuse a tokenizer whose class is code in its folder: transformers' class may split in another way."""
    named = _settings(source).get("auto_map")
    if code := named.get("AutoTokenizer") if isinstance(named, dict) else named:  # a list in old files
        raise UserInputError(
            f"{source}/{_SETTINGS} names code of its own (auto_map: {code}), which is never run",
            f"If the tokenizer is one of transformers' own, remove auto_map from {_SETTINGS}.",
        )


def _loader(source: str) -> tuple[Any, dict[str, Any]]:
    """The class that loads a tokenizer, and options with which transformers 4.57 reads what 5 saved."""
    import transformers

    saved = _settings(source)
    options: dict[str, Any] = {}
    if int(transformers.__version__.split(".")[0]) >= 5:
        return transformers.AutoTokenizer, options
    if isinstance(tokens := saved.get("extra_special_tokens"), list):
        options = {"additional_special_tokens": tokens, "extra_special_tokens": {}}
    renamed = saved.get("tokenizer_class") == "TokenizersBackend"
    return transformers.PreTrainedTokenizerFast if renamed else transformers.AutoTokenizer, options


def _settings(source: str) -> dict[str, Any]:
    """The file of the tokenizer's settings; empty for a hub id, and where the loader reports what is wrong with it."""
    try:
        found = json.loads((Path(source) / _SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The ids before and after a text, from the encoding of one word."""
    encoded = tokenizer("a", return_special_tokens_mask=True)
    ids, special = encoded["input_ids"], encoded["special_tokens_mask"]
    if 0 not in special:
        raise UserInputError(
            f"the tokenizer {type(tokenizer).__name__} splits the word 'a' into no subword at all",
            "Use a tokenizer with a token for what is unknown.",
        )
    first = special.index(0)
    last = len(special) - special[::-1].index(0)
    return ids[:first], ids[last:]


def _first_letter(text: str, start: int, end: int) -> int:
    """The first non-space character; some tokenizers include the space before a word in its first subword."""
    while start < end - 1 and text[start].isspace():
        start += 1
    return start
