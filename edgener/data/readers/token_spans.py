"""Token lists with spans that count tokens, as in MaintIE."""

from __future__ import annotations

from typing import Any

from .records import RecordFormat, entity_list


def _has_token_list(record: Any) -> bool:
    """Whether a record has a list of strings; Prodigy's list of token objects belongs to text-spans."""
    tokens = record.get("tokens") if isinstance(record, dict) else None
    return isinstance(tokens, list) and not any(isinstance(token, dict) for token in tokens)


FORMAT = RecordFormat(
    "token-spans",
    'objects with "tokens" and "entities" that count tokens',
    matches=_has_token_list,
    source=lambda record: record["tokens"],
    entities=entity_list,
)
