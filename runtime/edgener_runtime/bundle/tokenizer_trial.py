"""What any tokenizer does with plain texts, checked in this process or in one that may be lost."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

PLAIN_TEXT = "The pump of hall 12 leaks; Anna Keller saw it at 7:45 and replaced seal B6039 within 8 hours."
TEXTS = (
    PLAIN_TEXT, "", " ", "泵房的密封件漏油。", "e\u0301\u0323 \ufeff\u200d", "ﬁ İ 🔧 👩🏽\u200d🔧",
    "\u0645\u0636\u062e\u0629", "\t\r\n\x00\x1b", "\U000e0041\U0010ffff",
)  # fmt: skip
_LONG = ("x" * 20_000, "oil " * 5_000, "a\u0301" * 5_000, " " * 20_000, "aaaaab" * 3_000)
_MARKS = "▁Ġ"
_MEMORY, _SECONDS = 1 << 30, 20  # of the trial, and
_COPIES = 40  # bytes more for each of the file


def fault_of(tokenizer: Tokenizer, texts: Sequence[str] = TEXTS) -> str | None:
    """What is wrong with the subwords of some texts, or None. Raises what the library raises."""
    for text in texts:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        fault = next(_faults(text, encoding), None)
        if fault:
            return f"{fault} in the text {text[:40]!r}"
    return None


def _faults(text: str, encoding: Encoding) -> Iterator[str]:
    offsets = encoding.offsets
    for start, end in offsets:
        if not 0 <= start <= end <= len(text):
            yield f"it has a subword at the characters {start} to {end}"
    if text != PLAIN_TEXT:
        return
    covered = {at for start, end in offsets for at in range(start, end)}
    if missing := [at for at, character in enumerate(text) if character.isalnum() and at not in covered]:
        yield f"it drops the character {text[missing[0]]!r}"
    # the mark of a word's beginning may stand at the word's first character
    tokens = [token.strip(_MARKS) for token in encoding.tokens]
    spans = [
        (start, end) for token, (start, end) in zip(tokens, offsets, strict=True) if _is_of(token, text[start:end])
    ]
    for (_, end), (start, last) in pairwise(spans):
        if start < end:
            yield f"it has {text[start:last]!r} more than once"


def _is_of(token: str, text: str) -> bool:
    """Whether a subword is more than a mark, which may be any sign that the text does not have there."""
    return any(map(str.isalnum, token)) or (token != "" and token in text)


def main() -> int:
    """Try the tokenizer on stdin; the last line of stderr says what is wrong."""
    data = sys.stdin.buffer.read()
    try:
        import resource

        most = _MEMORY + _COPIES * len(data)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):  # Windows has none; a lower limit may stand
        pass
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_buffer(data)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        fault = fault_of(tokenizer, (*TEXTS, *_LONG))
    except BaseException as error:  # noqa: BLE001 - a panic of the library is none of Exception
        fault = f"{type(error).__name__}: {error}"
    if fault:
        print(fault, file=sys.stderr)  # noqa: T201
    return 1 if fault else 0
