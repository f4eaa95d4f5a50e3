"""The unfinished state of a job: the parts that are done, and a journal of them, in a folder beside the output."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from edgener_runtime.base.files import storage_errors, sync
from edgener_runtime.base.partial import locked, remove
from edgener_runtime.base.serde import from_json, to_dict
from edgener_runtime.errors import UserInputError

from .spec import TaggedChunk

JOURNAL = "journal.jsonl"
SCHEMA = 1
PARTS, INPUT, OUTPUT, REJECTED, REPLACED = "parts", "input", "output", "rejects.jsonl", "replaced"
"""What is in the folder beside the journal."""
_PARTS_OF_A_FOLDER = 1000


class Journal:
    """The chunks of a job that are done: a line of JSON each, behind one that describes the job.

    A last line that a kill has cut off is dropped: its chunk is tagged again.
    """

    def __init__(self, folder: Path, file: BinaryIO, job: dict[str, Any], done: dict[int, TaggedChunk]) -> None:
        self.folder = folder
        self.job = job
        self.done = done
        self._file = file

    def part(self, number: int) -> Path:
        """Where the result of a chunk stands."""
        return self.folder / PARTS / f"{number // _PARTS_OF_A_FOLDER:06d}" / f"{number:09d}.part"

    def spool(self, number: int) -> Path:
        """Where the rows of a chunk are copied that cannot be read from the input."""
        return self.folder / INPUT / f"{number:09d}.rows"

    def add(self, chunk: TaggedChunk) -> None:
        """Record that a chunk is done, whose part stands in its place."""
        self._write(to_dict(chunk))
        self.done[chunk.number] = chunk
        self.spool(chunk.number).unlink(missing_ok=True)

    def describe(self) -> None:
        """Record the job as it is described now."""
        self._write(self.job)

    def close(self) -> None:
        """Remove the journal: the results are in their place, and a kill while the rest is removed does no harm."""
        (self.folder / JOURNAL).unlink()
        sync(self.folder)

    def _write(self, record: dict[str, Any]) -> None:
        with storage_errors(self.folder):
            self._file.write(json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())


def is_unfinished(folder: Path) -> bool:
    """Whether a job's state is there."""
    return (folder / JOURNAL).is_file()


def check_state(folder: Path) -> None:
    """Raises UserInputError where the folder of a state has anything else, which must not be removed."""
    known = {JOURNAL, PARTS, INPUT, OUTPUT, REJECTED, REPLACED}
    others = sorted({path.name for path in folder.iterdir()} - known) if folder.is_dir() else []
    if others or (folder.exists() and not folder.is_dir()):
        found = f"has {others[0]}" if others else "is a file"
        raise UserInputError(
            f"{folder} {found}, and unfinished results would stand there", "Rename it, or name another path: --out"
        )


@contextmanager
def open_journal(folder: Path, job: dict[str, Any], resume: bool) -> Iterator[Journal]:
    """The journal of a job, a new one unless it is resumed.

    Raises UserInputError where another process is at it, or where the job that is resumed was another one.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder) as is_mine:
        if is_mine is False:
            raise UserInputError(f"another process is tagging into {folder}", "Wait for its end, or end it first.")
        if not resume:
            for found in folder.iterdir():
                remove(found)
        with storage_errors(folder):
            file = (folder / JOURNAL).open("a+b")
        with file:
            yield _journal(folder, file, {"schema_version": SCHEMA, **job})


def _journal(folder: Path, file: BinaryIO, job: dict[str, Any]) -> Journal:
    found, done = _read(folder / JOURNAL, file)
    journal = Journal(folder, file, found or job, done)
    _check_same(folder, job, journal.job)
    if found is None:
        journal.describe()
        sync(folder)
    return journal


def _read(path: Path, file: BinaryIO) -> tuple[dict[str, Any] | None, dict[int, TaggedChunk]]:
    """The last description of the job, or None, and the chunks; what stands behind the last whole line is cut off."""
    job, done, end = None, {}, 0
    file.seek(0)
    for line in file:
        record = _record(line)
        if record is None:
            break
        end += len(line)
        if "number" in record:
            chunk = from_json(TaggedChunk, json.dumps(record), str(path))
            done[chunk.number] = chunk
        else:
            job = record
    file.truncate(end)
    file.seek(end)
    return job, done


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _check_same(folder: Path, job: dict[str, Any], found: dict[str, Any]) -> None:
    for name, value in json.loads(json.dumps(job)).items():
        if found.get(name) != value:
            raise UserInputError(
                f"the job in {folder} has {_differs(name, found.get(name), value)}",
                "Resume with the options and files that it began with, or begin again: --overwrite",
            )


def _differs(name: str, found: Any, asked: Any) -> str:
    """What is different, as far down as there are names."""
    if isinstance(found, dict) and isinstance(asked, dict):
        inner = next(key for key in {**found, **asked} if found.get(key) != asked.get(key))
        return _differs(f"{name}: {inner}", found.get(inner), asked.get(inner))
    return f"{name} {json.dumps(found)[:200]}, and now it is {json.dumps(asked)[:200]}"
