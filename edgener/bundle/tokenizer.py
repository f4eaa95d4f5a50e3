"""The tokenizer of a bundle: as transformers resolves the checkpoint's files, and compared with it on samples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgener.checkpoint import Checkpoint
from edgener.encoding import EncodedText, TextEncoder, load_tokenizer
from edgener_runtime.bundle.graph import IDS, MASK, OFFSETS, TYPES
from edgener_runtime.bundle.manifest import TokenizerSettings
from edgener_runtime.errors import ParityError, UserInputError
from edgener_runtime.text.tokenize import Subwords, TextTokenizer

from .unicode_samples import unicode_samples

TOKENIZER = "tokenizer.json"


def write_tokenizer(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the checkpoint's tokenizer without truncation and padding, after comparing it with transformers.

    The file is that of the loaded tokenizer: transformers applies tokenizer_config.json, added_tokens.json and others,
    which may disagree with the checkpoint's own tokenizer.json. Raises UserInputError where the tokenizer cannot be
    written as a file, ParityError where the runtime splits a sample in another way.
    """
    tokenizer = load_tokenizer(str(checkpoint.path))
    (folder / TOKENIZER).write_text(_resolved(tokenizer, checkpoint.path), encoding="utf-8")
    _check_same_splits(checkpoint, tokenizer, folder / TOKENIZER)


def tokenizer_settings(checkpoint: Checkpoint, graph: Path) -> TokenizerSettings:
    """The settings that turn text into the inputs of a checkpoint's graph."""
    return _settings(checkpoint, load_tokenizer(str(checkpoint.path)), _inputs(graph))


def _resolved(tokenizer: Any, checkpoint: Path) -> str:
    try:
        settings = json.loads(tokenizer.backend_tokenizer.to_str())
    except Exception as error:  # noqa: BLE001 - the library raises no narrower class for a step that is code
        raise UserInputError(
            f"the tokenizer of {checkpoint} cannot be written as {TOKENIZER}: {type(tokenizer).__name__}: {error}",
            "Fine-tune with a tokenizer whose steps are all those of the tokenizers library.",
        ) from None
    return json.dumps(settings | {"truncation": None, "padding": None}, ensure_ascii=False)


def _check_same_splits(checkpoint: Checkpoint, tokenizer: Any, file: Path) -> None:
    """Compare ids and offsets of the samples, and of texts with each added token, between transformers and runtime."""
    theirs = TextEncoder(tokenizer, checkpoint.max_length, checkpoint.stride, checkpoint.case_channel, False)
    ours = TextTokenizer(file, _settings(checkpoint, tokenizer, ()))
    if (ours.prefix, ours.suffix) != (theirs.prefix, theirs.suffix):
        raise ParityError(
            f"the runtime puts the special tokens {ours.prefix} and {ours.suffix} around a text, "
            f"transformers {theirs.prefix} and {theirs.suffix}",
            f"Save the tokenizer again: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER); "
            f"{type(tokenizer).__name__} then has them in {TOKENIZER}.",
        )
    samples = [*unicode_samples(), *_with_added_tokens(tokenizer)]
    for expected, found in zip(theirs.encode(samples), ours.encode(samples), strict=True):
        if (expected.ids, expected.offsets) != (found.ids, found.offsets):
            raise _other_split(tokenizer, expected, found)


def _with_added_tokens(tokenizer: Any) -> Iterator[str]:
    """Two texts for each token that the tokenizer looks for before it splits, such as [SEP]."""
    for token in tokenizer.get_added_vocab():
        yield f"Pump {token} in Basel."
        yield f"x{token}y"


def _other_split(tokenizer: Any, expected: EncodedText, found: Subwords) -> ParityError:
    def words(ids: Sequence[int]) -> str:
        return " ".join(map(str, tokenizer.convert_ids_to_tokens(list(ids))))[:120]

    differs = f"{words(found.ids)!r} instead of {words(expected.ids)!r}"
    same = expected.ids == found.ids
    return ParityError(
        f"the runtime splits {expected.text[:60]!r} in another way than transformers: "
        + ("the same subwords at other characters" if same else differs),
        f"{type(tokenizer).__name__} does more than {TOKENIZER} can say: see the options in tokenizer_config.json.",
    )


def _settings(checkpoint: Checkpoint, tokenizer: Any, inputs: tuple[str, ...]) -> TokenizerSettings:
    return TokenizerSettings(
        file=TOKENIZER,
        max_length=checkpoint.max_length,
        stride=checkpoint.stride,
        pad_id=tokenizer.pad_token_id or 0,
        inputs=inputs,
        case_channel=checkpoint.case_channel,
        embeddings=checkpoint.embeddings,
    )


def _inputs(file: Path) -> tuple[str, ...]:
    """The inputs of a graph for padded batches; one for ragged batches has offsets and positions in place of a mask."""
    import onnx

    names = tuple(value.name for value in onnx.load(file, load_external_data=False).graph.input)
    if OFFSETS not in names:
        return names
    return IDS, MASK, *(name for name in names if name == TYPES)
