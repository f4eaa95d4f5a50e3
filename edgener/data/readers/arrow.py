"""Tables of the Hugging Face Hub: Parquet files, and folders that `datasets` saved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.base.install import install_line
from edgener_runtime.errors import UserInputError

from . import label_studio, text_spans, token_spans, token_tags
from .lines import BadLines, DataFile, Reading
from .records import read_rows
from .token_tags import KEYS

if TYPE_CHECKING:
    import pyarrow as pa

_FORMATS = (label_studio.FORMAT, token_tags.FORMAT, token_spans.FORMAT, text_spans.FORMAT)
STATE, INFO = "state.json", "dataset_info.json"


def is_saved_folder(path: Path) -> bool:
    """Whether a folder is one split that `datasets` saved."""
    return (path / STATE).is_file()


def read_parquet(file: DataFile, bad: BadLines, options: Mapping[str, Any]) -> Reading:
    """The sentences of a Parquet file. Raises UserInputError where it cannot be read."""
    return _read([file.path], {}, bad, options)


def read_saved(file: DataFile, bad: BadLines, options: Mapping[str, Any]) -> Reading:
    """The sentences of a folder that `datasets` saved with save_to_disk."""
    state, info = _json(file.path / STATE), _json(file.path / INFO)
    parts = [part.get("filename", "") for part in state.get("_data_files", []) if isinstance(part, dict)]
    if not parts:
        raise UserInputError(f"{file.path / STATE} names no data files", "Save the data set again: save_to_disk")
    return _read([file.path / name for name in parts], _names_of(info.get("features")), bad, options)


def _read(
    parts: Sequence[Path], names: Mapping[str, Sequence[str]], bad: BadLines, options: Mapping[str, Any]
) -> Reading:
    bad.unit = ", record "
    tables = [_table(part) for part in parts]
    known = {} if options.get("label_names") else {**names, **_metadata_names(tables[0])}
    form = "parquet" if parts[0].suffix != ".arrow" else "datasets"
    found = read_rows(_rows(tables, known), bad, _FORMATS, options)
    return found._replace(format=form)


def _rows(tables: Sequence[pa.Table], names: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, Any]]:
    """Numbered records, the numbers of labels as their names."""
    number = 0
    for table in tables:
        for batch in table.to_batches(max_chunksize=1000):
            for record in batch.to_pylist():
                number += 1
                yield number, {key: _named(_listed(value), names.get(key)) for key, value in record.items()}


def _listed(value: Any) -> Any:
    """Objects that `datasets` keeps as one object of lists, as objects again."""
    if not isinstance(value, dict) or not value or not all(isinstance(part, list) for part in value.values()):
        return value
    if len({len(part) for part in value.values()}) > 1:
        return value
    return [dict(zip(value, parts, strict=True)) for parts in zip(*value.values(), strict=True)]


def _named(value: Any, names: Sequence[str] | None) -> Any:
    """The names of numbers; a number without one, such as -1 of text without labels, stays visible as that."""
    if names is None or not isinstance(value, list):
        return value
    return [_name(item, names) if type(item) is int else item for item in value]


def _name(number: int, names: Sequence[str]) -> str:
    return names[number] if 0 <= number < len(names) else f"{number} (no name of {len(names)})"


def _table(path: Path) -> pa.Table:
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise UserInputError(f"{path}: pyarrow is not installed", install_line("pyarrow", "edgener")) from None
    try:
        table = pyarrow.parquet.read_table(path) if path.suffix != ".arrow" else _arrow(path)
        table.validate(full=True)  # a damaged file may still be read; its texts need not be UTF-8 then
        return table
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserInputError(f"cannot read {path}: {str(error).splitlines()[0][:200]}", "Get the file again.") from None


def _arrow(path: Path) -> pa.Table:
    """An Arrow file, as a stream (so `datasets` writes them) or with a footer."""
    import pyarrow as pa

    with path.open("rb") as file:
        has_footer = file.read(6) == b"ARROW1"
    with pa.memory_map(str(path)) as source:
        return (pa.ipc.open_file if has_footer else pa.ipc.open_stream)(source).read_all()


def _metadata_names(table: pa.Table) -> dict[str, list[str]]:
    """The names of numbered labels that `datasets` writes into the schema."""
    try:
        record = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    except ValueError:
        return {}
    info = record.get("info", {}) if isinstance(record, dict) else {}
    return _names_of(info.get("features") if isinstance(info, dict) else None)


def _names_of(features: Any) -> dict[str, list[str]]:
    if not isinstance(features, dict):
        return {}
    found = {key: _names(features[key]) for key in KEYS if key in features}
    return {key: names for key, names in found.items() if names}


def _names(feature: Any) -> list[str] | None:
    """The names of a ClassLabel, at any depth of a sequence of it."""
    if isinstance(feature, list):
        return next((names for names in map(_names, feature) if names), None)
    if not isinstance(feature, dict):
        return None
    names = feature.get("names")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return names
    return next((found for value in feature.values() if (found := _names(value))), None)


def _json(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserInputError(f"cannot read {path}: {error}", "Save the data set again: save_to_disk") from None
    return record if isinstance(record, dict) else {}
