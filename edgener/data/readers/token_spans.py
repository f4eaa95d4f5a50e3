"""Token lists with spans that count tokens, as in MaintIE."""

from __future__ import annotations

from .records import RecordContent, RecordFormat, entity_list, token_list

FORMAT = RecordFormat(
    "token-spans",
    'objects with "tokens" and "entities" that count tokens',
    matches=lambda record: token_list(record) is not None,
    content=lambda record, counts: RecordContent(tokens=token_list(record), entities=entity_list(record)),
)
