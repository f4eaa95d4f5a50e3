"""The tokenizer's file against the manifest: what it says of itself, and a trial in a child process otherwise.

The tokenizers library reports most faults. It cannot report a regular expression that takes hours, or a rule that makes
megabytes of each character: the first hangs this process, the second ends it. Files with parts that could, which the
encoders of Hugging Face do not have, are tried in a process of their own, which costs a moment at each start.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from edgener_runtime.base.printable import escaped
from edgener_runtime.errors import BundleError, DeviceError

from .contents import require_json
from .manifest import Manifest
from .rules import require_shallow
from .tokenizer_growth import MOST_GROWTH, growth, is_charsmap, parts_below

TRIAL_SECONDS = 40.0
_TRIAL = "edgener_runtime.bundle.tokenizer_trial"
_HINT = "Copy the bundle again, or export it again from a checkpoint with another tokenizer."
_PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
# What the parts of a tokenizer may be so that no text makes the library hang or end its process.
_PLAIN = {
    "BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "StripAccents", "Strip", "Precompiled",
    "Prepend", "Replace", "ByteLevel", "Sequence", "BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Metaspace",
    "Digits", "Punctuation", "CharDelimiterSplit", "UnicodeScripts", "Split", "BertProcessing", "RobertaProcessing",
    "TemplateProcessing", "WordPiece", "BPEDecoder", "CTC", "Fuse", "ByteFallback",
}  # fmt: skip
_MODELS = {"WordPiece", "BPE", "Unigram", "WordLevel"}
_EXPRESSIONS = {" {2,}", r"\s+", r"\s{2,}"}
_MOST_PARTS = 1000  # in each other or after each other
_MOST_CONTENT = 16  # characters that a rule puts in the place of others
_MOST_WORD = 1000  # characters of a word that WordPiece divides, in time that grows with their square


def require_tokenizer(path: Path, data: bytes, manifest: Manifest) -> None:
    """Raise BundleError where a tokenizer does not fit the manifest, or hangs or ends the process that tries it."""
    content = require_json(path, data)
    if isinstance(content, dict):
        require_shallow(path, {name: content.get(name) for name in _PARTS})
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise BundleError(f"{path} cannot be read as a tokenizer: it has no model", _HINT)
    for fault in chain(_part_faults(content), _faults(content, manifest)):
        raise BundleError(f"{path} {escaped(fault)}", _HINT)
    if not _is_plain(content):
        _try(path, data)


def _part_faults(content: dict[str, Any]) -> Iterator[str]:
    parts = [part for name in _PARTS for part in islice(parts_below(content.get(name)), _MOST_PARTS + 1)]
    if len(parts) > _MOST_PARTS:
        yield f"has more than {_MOST_PARTS} parts"
    if (found := growth(parts)) > MOST_GROWTH:
        yield f"makes {found} or more characters of one; expected at most {MOST_GROWTH}"
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if len(mark := str(content["model"].get(name) or "")) > _MOST_CONTENT:
            yield f"marks subwords with {len(mark)} characters, {name}; expected at most {_MOST_CONTENT}"


def _faults(content: dict[str, Any], manifest: Manifest) -> Iterator[str]:
    model = content["model"]
    if model.get("dropout"):
        yield f"leaves out merges at random (dropout {model['dropout']}); expected the same subwords each time"
    longest = model.get("max_input_chars_per_word", 0)
    if not isinstance(longest, int) or longest > _MOST_WORD:
        yield f"divides words of up to {longest} characters; expected at most {_MOST_WORD}, which end within a moment"
    pad_id = manifest.tokenizer.pad_id
    if pad_id > (highest := _highest_id(content, pad_id)):
        yield f"has subwords with ids up to {highest}; the manifest's pad_id is {pad_id}"


def _highest_id(content: dict[str, Any], enough: int) -> int:
    """The highest id of a subword; of a large vocabulary, whose ids are each another, any that is high enough."""
    vocabulary, added = content["model"].get("vocab"), content.get("added_tokens")
    highest = len(vocabulary) - 1 if isinstance(vocabulary, (dict, list)) else enough
    if highest < enough and isinstance(vocabulary, dict):
        highest = max((number for number in vocabulary.values() if isinstance(number, int)), default=-1)
    if highest < enough and isinstance(added, list):
        ids = [each.get("id") for each in added if isinstance(each, dict)]
        highest = max([highest, *(number for number in ids if isinstance(number, int))])
    return highest


def _is_plain(content: dict[str, Any]) -> bool:
    if str(content["model"].get("type")) not in _MODELS:
        return False
    tops = [top for name in _PARTS if (top := content.get(name)) is not None]
    return all(isinstance(top, dict) and all(map(_is_plain_part, parts_below(top))) for top in tops)


def _is_plain_part(part: dict[str, Any]) -> bool:
    """Whether a part is one of the table, with short rules and known expressions."""
    if str(part.get("type")) not in _PLAIN:
        return False
    if part.get("type") == "Precompiled" and not is_charsmap(part.get("precompiled_charsmap")):
        return False
    pattern = part.get("pattern")
    if isinstance(pattern, dict) and not (pattern.get("String") or str(pattern.get("Regex")) in _EXPRESSIONS):
        return False
    return all(len(str(part.get(name, ""))) <= _MOST_CONTENT for name in ("content", "prepend"))


def _try(path: Path, data: bytes) -> None:
    """Let a child process divide texts.

    Raises BundleError where it does not come back with subwords, DeviceError where no process can be started.
    """
    import os
    import subprocess

    from edgener_runtime.base.process import python_command  # loads what an ordinary start does not need

    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    try:
        done = subprocess.run(
            python_command(_TRIAL), input=data, capture_output=True, timeout=TRIAL_SECONDS, env=environment
        )
    except subprocess.TimeoutExpired:
        raise BundleError(f"{path}: its tokenizer does not end within {TRIAL_SECONDS:g} s with a text", _HINT) from None
    except OSError as error:
        raise DeviceError(
            f"{path}: its tokenizer cannot be tried in a process of its own: {error.strerror}", "Free some memory."
        ) from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1] if lines else "it did not say why"
        raise BundleError(
            f"{path}: its tokenizer ends the process that tries it (code {done.returncode}): {escaped(reason)[:200]}",
            _HINT,
        )
