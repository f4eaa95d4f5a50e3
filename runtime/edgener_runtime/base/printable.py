"""Characters that change what a terminal, a log or a page shows around them: control characters and bidirectional ones.

Names with such characters are refused where a bundle is read; whatever else is shown to a person is escaped. Marks that
words of a script need, such as the zero-width non-joiner, are none of them.
"""

from __future__ import annotations

import re

_CONTROLS = "\x00-\x1f\x7f-\x9f"  # escape sequences of terminals begin with ESC or U+009B
_LINES = "\u2028\u2029"
_BIDIRECTIONAL = "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates reorder what follows them
_SURROGATES = "\ud800-\udfff"  # no UTF-8 has them
_UNSAFE = re.compile(f"[{_CONTROLS}{_LINES}{_BIDIRECTIONAL}{_SURROGATES}]")


def unsafe_character(text: str) -> str | None:
    """The first character of a text that is not safe to show, as `U+001B`; None where all are."""
    found = _UNSAFE.search(text)
    return f"U+{ord(found[0]):04X}" if found else None


def escaped(text: str) -> str:
    r"""A text with `\u001b` for each character that is not safe to show; line breaks stay.

    The escapes are those of JSON: a JSON document stays the same document.
    """
    return _UNSAFE.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)
