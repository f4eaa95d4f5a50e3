"""Arrow tables: the results of their texts as further columns, with every other column as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgener_runtime.base.install import install_line
from edgener_runtime.errors import UserInputError

from .answers import Rejection, TextAnswer
from .shapes import Cells, Shape, arrow_type, sound_text

if TYPE_CHECKING:
    import pyarrow as pa


def load_pyarrow() -> Any:
    """The library pyarrow. Raises UserInputError with the command that installs it."""
    try:
        import pyarrow
    except ImportError:
        raise UserInputError("Arrow and Parquet tables need pyarrow", install_line("bulk")) from None
    return pyarrow


def check_text_type(field: pa.Field, where: str) -> None:
    """Raises UserInputError where a column does not hold texts."""
    import pyarrow as pa

    found = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    tests = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null,
        pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view,
    )  # fmt: skip
    if not any(test(found) for test in tests):
        raise UserInputError(
            f"the column {field.name!r} of {where} is {str(field.type)[:100]}, expected strings",
            "Name another one: --text-column NAME",
        )


def raw_texts(column: pa.ChunkedArray) -> list[bytes | None]:
    """The texts of a column as bytes: Arrow does not check that strings are UTF-8."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type)
    found: list[bytes | None] = column.cast(pa.large_binary()).to_pylist()
    return found


def output_schema(schema: pa.Schema, shape: Shape) -> pa.Schema:
    """A table's schema with the added columns; its metadata stays."""
    for column in shape.columns:
        schema = schema.append(_field(column.name, column.type))
    return schema


def _field(name: str, kind: str) -> pa.Field:
    import pyarrow as pa

    return pa.field(name, arrow_type(kind))


def with_answers(
    table: pa.Table, texts: Sequence[object], answers: Sequence[TextAnswer], shape: Shape, first_row: int = 1
) -> pa.Table:
    """A table with the added columns; rows are repeated or left out where the shape has several for a text, or none."""
    import pyarrow as pa

    cells = [
        _cells(*each, shape) for each in zip(range(first_row, first_row + len(texts)), texts, answers, strict=True)
    ]
    if any(len(each) != 1 for each in cells):
        indices = [index for index, each in enumerate(cells) for _ in each]
        table = table.take(pa.array(indices, pa.int64()))
    columns: list[list[Any]] = [[row[number] for each in cells for row in each] for number in range(len(shape.columns))]
    for column, values in zip(shape.columns, columns, strict=True):
        table = table.append_column(_field(column.name, column.type), pa.array(values, arrow_type(column.type)))
    return table


def _cells(row: int, text: object, answer: TextAnswer, shape: Shape) -> list[Cells]:
    if isinstance(answer, Rejection):
        return list(shape.rejected)
    found = shape.rows(row, text.decode("utf-8") if isinstance(text, bytes) else str(text), answer)
    return [tuple(map(sound_text, each)) for each in found]
