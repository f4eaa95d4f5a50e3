"""What the tests of bulk tagging share: files tagged in this process, and jobs with worker processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.bulk.formats.table import format_of
from edgener_runtime.bulk.run import BulkJob, TagSummary, run_job
from edgener_runtime.bulk.sources import OutputPaths
from edgener_runtime.bulk.spec import Chunk, RejectedRow, TagSpec
from edgener_runtime.bulk.worker import answer_with


@dataclass(frozen=True)
class Tagged:
    """What tagging a file in this process came to."""

    output: Path
    rejected: list[RejectedRow]
    chunks: int

    @property
    def data(self) -> bytes:
        return self.output.read_bytes()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.data.splitlines()]

    @property
    def reasons(self) -> list[tuple[int, str]]:
        return [(row.row, row.reason) for row in self.rejected]


TagFile = Callable[..., Tagged]


@pytest.fixture
def spec(bundle: Path) -> TagSpec:
    return TagSpec(str(bundle), variant="fp32")


@pytest.fixture
def tag_file(classifier: TokenClassifier, spec: TagSpec, tmp_path: Path) -> TagFile:
    """`tag_file(path, shape="rows")` tags a file chunk by chunk, as workers do."""

    def tag(path: Path, form: str = "auto", **options: Any) -> Tagged:
        asked = replace(spec, **options)
        found = format_of(path, form)
        folder = tmp_path / "parts"
        folder.mkdir(exist_ok=True)
        spool = folder / "spool"
        found.check(path, asked)
        parts, rejected = [], []
        for number, (where, span) in enumerate(found.split(path, asked, lambda index: spool)):
            part = folder / f"{number}.part"
            chunk = Chunk(number, found.name, path.name, str(where), span, str(part))
            tagged = found.tag(chunk, asked, partial(answer_with, classifier, asked))
            part.write_bytes(tagged.content)
            parts.append(part)
            rejected += tagged.rejected
        out = tmp_path / f"out{found.output_suffix}"
        found.join(path, asked, iter(parts), out)
        return Tagged(out, rejected, len(parts))

    return tag


RunJob = Callable[..., "TagSummary | None"]


@pytest.fixture
def tag_job(spec: TagSpec, tmp_path: Path) -> RunJob:
    """`tag_job(source, out)` is a job with a worker process."""
    # where no program can be started, the test is skipped here: in a thread of the job, nobody would see that
    subprocess.Popen([sys.executable, "-c", ""]).wait()

    def job(source: Path, out: Path | None = None, log: Callable[[str], None] = print, **options: Any) -> Any:
        own = {name: options.pop(name) for name in ("workers", "mode", "command", "format") if name in options}
        paths = OutputPaths(out or tmp_path / f"out{source.suffix}")
        return run_job(BulkJob(replace(spec, **options), source, paths, **own), lambda progress: None, log)

    return job


def write_lines(path: Path, records: list[Any]) -> Path:
    """A file of JSON Lines."""
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return path
