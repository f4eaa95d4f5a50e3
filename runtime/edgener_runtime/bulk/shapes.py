"""The shapes of results: the columns that are added to a table, and what they hold for a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from edgener_runtime.decoding.entity import Entity
from edgener_runtime.errors import UserInputError
from edgener_runtime.text.cut import split_text
from edgener_runtime.text.tokenize import without_surrogates

Cells: TypeAlias = "tuple[Any, ...]"

_ENTITY = {"label": "string", "start": "int64", "end": "int64", "score": "double", "text": "string"}


@dataclass(frozen=True)
class AddedColumn:
    """A column: its name, and its type: string, int64, double, strings (a list) or entities (a list of structs)."""

    name: str
    type: str


@dataclass(frozen=True)
class Shape:
    """A shape of results: the columns it adds, the rows of a text (its number, itself, entities), those of a rejection.

    `in_characters`: start and end have to be in characters, whatever the unit that was asked for.
    """

    name: str
    columns: tuple[AddedColumn, ...]
    rows: Callable[[int, str, Sequence[Entity]], list[Cells]]
    rejected: tuple[Cells, ...]
    in_characters: bool = False

    @property
    def ddl(self) -> str:
        """The columns as Spark declares them, such as `tokens array<string>`."""
        return ", ".join(f"{column.name} {_DDL[column.type]}" for column in self.columns)


def _as_list(row: int, text: str, entities: Sequence[Entity]) -> list[Cells]:
    return [([vars(entity) for entity in entities],)]


def _as_rows(row: int, text: str, entities: Sequence[Entity]) -> list[Cells]:
    return [(row, *vars(entity).values()) for entity in entities]


def _as_iob2(row: int, text: str, entities: Sequence[Entity]) -> list[Cells]:
    """Words, punctuation marks and single CJK characters, each with its tag; no token crosses an entity's edge."""
    spans = split_text(text, (edge for entity in entities for edge in (entity.start, entity.end)))
    tags, rest = [], iter(sorted(entities, key=lambda entity: entity.start))
    entity, begins = next(rest, None), True
    for start, end in spans:
        while entity and entity.end <= start:
            entity, begins = next(rest, None), True
        if entity and entity.start < end:
            tags.append(f"{'B' if begins else 'I'}-{entity.label}")
            begins = False
        else:
            tags.append("O")
    return [([text[start:end] for start, end in spans], tags)]


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("entities", (AddedColumn("entities", "entities"),), _as_list, ((None,),)),
        Shape(
            "iob2", (AddedColumn("tokens", "strings"), AddedColumn("ner_tags", "strings")), _as_iob2, ((None, None),),
            in_characters=True,
        ),
        Shape(
            "rows",
            (AddedColumn("text_row", "int64"), *(AddedColumn(f"entity_{name}", _ENTITY[name]) for name in _ENTITY)),
            _as_rows, (),
        ),
    )
}  # fmt: skip
"""Each shape by its name: a list of entities, IOB2 tags of tokens, or one row per entity."""

_STRUCT = ", ".join(f"{name}: {'bigint' if kind == 'int64' else kind}" for name, kind in _ENTITY.items())
_DDL = {
    "string": "string", "int64": "bigint", "double": "double", "strings": "array<string>",
    "entities": f"array<struct<{_STRUCT}>>",
}  # fmt: skip


def check_columns(names: Sequence[str], text_column: str, shape: Shape, where: str) -> int:
    """The number of the text's column. Raises UserInputError where it is missing, twice there, or a name is taken."""
    found = [number for number, name in enumerate(names) if name == text_column]
    if len(found) != 1:
        known = without_surrogates(", ".join(names[:10])) + (
            f" and {len(names) - 10:,} more" if len(names) > 10 else ""
        )
        count = "no column" if not found else f"{len(found)} columns"
        raise UserInputError(
            f"{where} has {count} {text_column!r}; its columns are {known[:500]}", "Name one: --text-column NAME"
        )
    if taken := [column.name for column in shape.columns if column.name in set(names)]:
        raise UserInputError(
            f"{where} has a column {taken[0]!r} already, which --shape {shape.name} adds",
            "Rename or drop that column first, or choose another shape.",
        )
    return found[0]


def arrow_type(name: str) -> Any:
    """The Arrow type of an added column."""
    import pyarrow as pa

    entity = pa.struct([(field, pa.type_for_alias(kind)) for field, kind in _ENTITY.items()])
    kinds = {"strings": pa.list_(pa.string()), "entities": pa.list_(entity)}
    return kinds.get(name) or pa.type_for_alias(name)


def sound_text(value: Any) -> Any:
    """A cell with U+FFFD for lone surrogates, which Arrow does not take."""
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, list):
        return [sound_text(item) for item in value]
    return {name: sound_text(item) for name, item in value.items()} if isinstance(value, dict) else value
