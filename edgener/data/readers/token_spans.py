"""Token lists with spans that count tokens, as in MaintIE."""

from __future__ import annotations

from typing import Any

from .records import RecordContent, RecordFormat, entity_list, token_list


def _matches(record: Any) -> bool:
    """Whether a record has a list of words; the starts of Prodigy's spans count characters beside its token_start."""
    if token_list(record) is None:
        return False
    entities = entity_list(record)
    items = entities if isinstance(entities, list) else []
    return not ("text" in record and any(isinstance(item, dict) and "token_start" in item for item in items))


FORMAT = RecordFormat(
    "token-spans",
    'objects with "tokens" and "entities" that count tokens',
    matches=_matches,
    content=lambda record, counts: RecordContent(tokens=token_list(record), entities=entity_list(record)),
)
