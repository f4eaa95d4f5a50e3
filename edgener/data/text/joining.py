"""The text of a token list: spaces between words, none where a script is written without them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgener_runtime.text.cut import CJK

# Han and kana, Bopomofo, half-width kana, and scripts of South-East Asia without spaces between words.
_SCRIPTS = f"{CJK}\u3100-\u312f\u31a0-\u31ff\uff66-\uff9f\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\uaa60-\uaa7f"
_LETTER = re.compile(f"[{_SCRIPTS}]")
_UNSPACED = re.compile(f"[{_SCRIPTS}\uff00-\uffef]")  # with full-width punctuation, digits and Latin


def is_unspaced(text: str) -> bool:
    """Whether a text has a letter of a script without spaces between words."""
    return bool(_LETTER.search(text))


def join_tokens(tokens: Sequence[str], others: bool = False) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text of a token list as a device sees it, and the (start, end) of each token.

    A sentence that is mostly in a script without spaces, as Chinese and Japanese, gets one only between two words of
    another script: `1 9 6 3 年` is `1963年`. One without any word is like the `others` of its file.
    """
    unspaced = is_mostly_unspaced(tokens) or (others and not any(map(_has_word, tokens)))
    pieces: list[str] = []
    offsets: list[tuple[int, int]] = []
    position = 0
    for index, token in enumerate(tokens):
        if index and not touch(tokens[index - 1], token, unspaced):
            pieces.append(" ")
            position += 1
        pieces.append(token)
        offsets.append((position, position + len(token)))
        position += len(token)
    return "".join(pieces), tuple(offsets)


def touch(before: str, token: str, unspaced: bool) -> bool:
    """Whether two tokens stand without a space between them."""
    left, right = before[-1], token[0]
    if left.isascii() and right.isascii() and not unspaced:
        return False
    if _UNSPACED.match(left) and _UNSPACED.match(right):
        return True
    return unspaced and not (_is_word(before) and _is_word(token))


def _is_word(token: str) -> bool:
    """Whether a token is a word of another script, not one character of a text that is split into characters."""
    return len(token) > 1 and any(map(str.isalnum, token)) and not is_unspaced(token)


def _has_word(token: str) -> bool:
    return _is_word(token) and any(map(str.isalpha, token))


def is_mostly_unspaced(tokens: Sequence[str]) -> bool:
    """Whether letters of unspaced scripts outweigh words of others, of which one says as much as 1.5 letters."""
    text = "".join(tokens)
    letters = 0 if text.isascii() else len(_LETTER.findall(text))
    return letters > 0 and letters > 1.5 * sum(map(_has_word, tokens))
