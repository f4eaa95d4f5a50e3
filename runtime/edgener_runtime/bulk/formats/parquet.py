"""Parquet: rows are copied into Arrow files of a chunk each, as a row group can be read only from its beginning."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.base.files import write_atomic
from edgener_runtime.bulk.answers import Rejection
from edgener_runtime.bulk.arrow import check_text_type, load_pyarrow, output_schema, raw_texts, with_answers
from edgener_runtime.bulk.shapes import check_columns
from edgener_runtime.bulk.spec import ROWS_AT_ONCE, Chunk, RejectedRow, RowSpan, TagSpec
from edgener_runtime.errors import UserInputError

from .base import AnswerAll, Spool, TableFormat, TaggedPart, shape_of

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK_BYTES = 16 << 20  # of Arrow tables, of which thousands of columns make large ones
_ROWS_OF_A_READ = 16  # where rows seem small: their size is known only then, as cells may be stored once for many
_GROUP_ROWS, _GROUP_BYTES = 1 << 16, 64 << 20  # of the output's row groups
_BUFFER = 1 << 20  # bytes of each column that are read at once


@contextmanager
def _arrow_errors(path: Path) -> Iterator[Any]:
    """Map the library's errors at a file to ours."""
    pa = load_pyarrow()
    try:
        yield pa
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk
            raise
        raise UserInputError(f"{path} cannot be read as Parquet: {error}", "Write the file again.") from None


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    with _arrow_errors(path):
        import pyarrow.parquet as pq

        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER) as file:
            yield file


def _check(path: Path, spec: TagSpec) -> None:
    with _open(path) as file:
        schema = file.schema_arrow
        column = check_columns(schema.names, spec.text_column, shape_of(spec), str(path))
        check_text_type(schema.field(column), str(path))


def _split(path: Path, spec: TagSpec, spool: Spool) -> Iterator[tuple[Path | None, RowSpan]]:
    """The length of a span is its share of the file's bytes."""
    row = 1
    with _open(path) as file:
        bytes_per_row = path.stat().st_size / max(1, file.metadata.num_rows)
    for index, batches in enumerate(_groups(path)):
        rows = sum(batch.num_rows for batch in batches)
        if target := spool(index):
            write_atomic(target, _as_arrow_file(batches))
        yield target, RowSpan(0, round(rows * bytes_per_row), row, rows)
        row += rows


def _groups(path: Path) -> Iterator[list[pa.RecordBatch]]:
    """Batches of rows, by the rows of a chunk or its bytes."""
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in _batches(path):
        if batches and (rows + batch.num_rows > ROWS_AT_ONCE or size + batch.nbytes > _CHUNK_BYTES):
            yield batches
            batches, rows, size = [], 0, 0
        batches.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
    if batches:
        yield batches


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows in order; fewer at once where a row group's rows are large."""
    with _open(path) as file:
        for number in range(file.num_row_groups):
            group = file.metadata.row_group(number)
            if group.num_rows:
                most = _CHUNK_BYTES // max(1, group.total_byte_size // group.num_rows)
                size = max(1, min(_ROWS_OF_A_READ, most))
                for batch in file.iter_batches(size, row_groups=[number], use_threads=False):
                    yield from _pieces(batch)


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """A batch, or its single rows where it is large."""
    if batch.nbytes <= _CHUNK_BYTES:
        return iter((batch,))
    return (batch.slice(row, 1) for row in range(batch.num_rows))


def _as_arrow_file(batches: list[pa.RecordBatch]) -> bytes:
    import pyarrow as pa

    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batches[0].schema) as stream:
        for batch in batches:
            stream.write_batch(batch)
    return sink.getvalue()


def _tag(chunk: Chunk, spec: TagSpec, answer: AnswerAll) -> TaggedPart:
    with _arrow_errors(Path(chunk.path)) as pa:
        table = pa.ipc.open_stream(Path(chunk.path).read_bytes()).read_all()
        shape = shape_of(spec)
        texts = raw_texts(table.column(spec.text_column))
        answers = answer(texts)
        result = with_answers(table, texts, answers, shape, chunk.span.row)
        content = _as_arrow_file(result.to_batches()) if result.num_rows else b""
    rejected = [
        RejectedRow(chunk.source, chunk.span.row + at, 0, found.reason, found.text)
        for at, found in enumerate(answers)
        if isinstance(found, Rejection)
    ]
    entities = sum(len(found) for found in answers if not isinstance(found, Rejection))
    return TaggedPart(content, len(texts) - len(rejected), entities, rejected)


def _join(path: Path, spec: TagSpec, parts: Iterator[Path], out: Path) -> None:
    with _open(path) as file:
        schema = output_schema(file.schema_arrow, shape_of(spec))
    with _arrow_errors(out) as pa:
        import pyarrow.parquet as pq

        with pq.ParquetWriter(out, schema) as writer:
            group: list[Any] = []
            for part in parts:
                if content := part.read_bytes():
                    group.append(pa.ipc.open_stream(content).read_all())
                if sum(table.num_rows for table in group) >= _GROUP_ROWS or _size(group) >= _GROUP_BYTES:
                    writer.write_table(pa.concat_tables(group))
                    group = []
            if group:
                writer.write_table(pa.concat_tables(group))


def _size(tables: list[Any]) -> int:
    return sum(table.nbytes for table in tables)


PARQUET = TableFormat("parquet", (".parquet", ".pq"), ".parquet", _check, _split, _tag, _join, library="pyarrow")
