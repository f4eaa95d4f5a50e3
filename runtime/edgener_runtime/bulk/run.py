"""A bulk job: files are cut into chunks, workers tag them, and their parts are joined in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from edgener_runtime.base.files import sha256_of, storage_errors, sync
from edgener_runtime.base.partial import remove
from edgener_runtime.base.serde import to_dict
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.errors import UserInputError

from .formats.table import AUTO
from .journal import OUTPUT, REJECTED, REPLACED, Journal, check_state, is_unfinished, open_journal
from .pool import COMMAND, WorkerPool, engine_check
from .sources import OutputPaths, SourceFile, check_output, find_sources
from .spec import Chunk, RowSpan, TaggedChunk, TagSpec
from .worker import REJECTS

NEW, RESUME, OVERWRITE = "new", "resume", "overwrite"


@dataclass(frozen=True)
class SetAside:
    """Rows that were not tagged as workers died at them."""

    source: str
    first_row: int
    last_row: int


@dataclass(frozen=True)
class TagSummary:
    """What a finished job came to; rates are those of this run, without what an earlier one had done."""

    output: str
    rejects: str | None
    files: int
    rows: int
    texts: int
    entities: int
    rejected: int
    resumed_rows: int
    seconds: float
    rows_per_second: float
    workers: int
    restarts: int
    set_aside: tuple[SetAside, ...]
    engine: dict[str, str]
    schema_version: int = 1


@dataclass
class TagProgress:
    """How far a job is, in bytes of its input and in rows; `seconds` and `tagged` are of this run."""

    total: int
    done: int = 0
    rows: int = 0
    earlier: int = 0
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Since this run began."""
        return time.perf_counter() - self.started

    @property
    def seconds_left(self) -> float | None:
        """At this run's rate, or None where nothing was done yet."""
        tagged = self.done - self.earlier
        return self.seconds * (self.total - self.done) / tagged if tagged > 0 else None


@dataclass(frozen=True)
class BulkJob:
    """What is tagged, where the results go, and how many workers do it; `mode` is new, resume or overwrite."""

    spec: TagSpec
    source: Path
    paths: OutputPaths
    format: str = AUTO
    workers: int = 1
    mode: str = NEW
    command: Sequence[str] = COMMAND


def run_job(job: BulkJob, show: Callable[[TagProgress], None], log: Callable[[str], None]) -> TagSummary | None:
    """Run a job to its end, or the rest of it; None where there is nothing left to resume.

    Raises UserInputError, StorageError, DeviceError, BundleError; what was done stays, and can be resumed.
    """
    sources = find_sources(job.source, job.format)
    check_output(job.source, sources, job.paths)
    check_state(job.paths.state)
    unfinished = is_unfinished(job.paths.state)
    if job.mode == RESUME and not unfinished and job.paths.output.exists():
        remove(job.paths.state)  # which may be left of a kill after the end
        return None
    if job.mode == NEW:
        _check_free(job.paths, unfinished)
    for source in sources:
        _check_source(source, job.spec)
    described = {
        "spec": to_dict(job.spec),
        "bundle": _bundle_hash(Path(job.spec.bundle)),
        "sources": [source.fingerprint() for source in sources],
        "libraries": _versions({source.format.library for source in sources}),
    }
    with open_journal(job.paths.state, described, resume=job.mode == RESUME) as journal:
        try:
            summary = _Run(job, sources, journal, show, log).finish()
        except BaseException:
            if not journal.done:  # there is nothing to resume
                remove(job.paths.state)
            raise
        journal.close()
    remove(job.paths.state)
    return summary


def _versions(libraries: set[str]) -> dict[str, str]:
    """The versions of libraries that write results, which may write other bytes in another version."""
    from importlib.metadata import version  # loads email and zipfile: not for every start

    return {name: version(name) for name in sorted(libraries) if name}


def _check_source(source: SourceFile, spec: TagSpec) -> None:
    try:
        source.format.check(source.path, spec)
    except OSError as error:
        raise UserInputError(f"cannot read {source.path}: {error.strerror}", "Check its permissions.") from None


def _bundle_hash(bundle: Path) -> str:
    """The SHA-256 of a bundle's manifest, which has those of its files. Raises BundleError where it has none."""
    read_manifest(bundle)
    return sha256_of(bundle / "manifest.json")


def _check_free(paths: OutputPaths, unfinished: bool) -> None:
    if unfinished:
        raise UserInputError(
            f"{paths.state} has an unfinished job", "Continue it with --resume, or begin again with --overwrite."
        )
    for path in (paths.output, paths.rejects):
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise UserInputError(f"{path} exists", "Replace it with --overwrite, or name another path: --out")


class _Run:
    """A job with its journal open."""

    def __init__(
        self, job: BulkJob, sources: list[SourceFile], journal: Journal, show: Callable[[TagProgress], None],
        log: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._job, self._sources, self._journal, self._show, self._log = job, sources, journal, show, log
        self._lengths: dict[int, int] = {}
        self._numbers: list[range] = []  # of each source's chunks
        self._resumed = sum(chunk.rows for chunk in journal.done.values())
        self._progress = TagProgress(sum(source.path.stat().st_size for source in sources))

    def finish(self) -> TagSummary:
        """Tag what is not done yet, and put the results in their place."""
        engine = self._journal.job.get("engine", {})
        with WorkerPool(self._job.spec, self._job.workers, engine_check(engine), self._log, self._job.command) as pool:
            for chunk in pool.tag(self._chunks()):
                self._add(chunk, engine)
        seconds = self._progress.seconds
        self._check_unchanged()
        rejects = self._publish()
        return self._summary(seconds, pool.restarts, rejects, engine)

    def _chunks(self) -> Iterator[Chunk]:
        """The chunks that are not done; those that are count as progress."""
        first = 0
        for source in self._sources:
            number = first
            spans = source.format.split(source.path, self._job.spec, partial(self._spool, first))
            for number, (path, span) in enumerate(spans, start=first):
                if path is None:
                    self._skip(span)
                else:
                    self._lengths[number] = span.length
                    part = str(self._journal.part(number))
                    yield Chunk(number, source.format.name, source.name, str(path), span, part)
                first = number + 1
            self._numbers.append(range(self._numbers[-1].stop if self._numbers else 0, first))

    def _spool(self, first: int, index: int) -> Path | None:
        number = first + index
        return None if number in self._journal.done else self._journal.spool(number)

    def _skip(self, span: RowSpan) -> None:
        self._progress.done += span.length
        self._progress.earlier += span.length

    def _add(self, chunk: TaggedChunk, engine: dict[str, str]) -> None:
        if "engine" not in self._journal.job:
            self._journal.job["engine"] = engine
            self._journal.describe()
        self._journal.add(chunk)
        self._progress.done += self._lengths.pop(chunk.number)
        self._progress.rows += chunk.rows
        self._show(self._progress)

    def _check_unchanged(self) -> None:
        for source, before in zip(self._sources, self._journal.job["sources"], strict=True):
            if source.fingerprint() != before:
                raise UserInputError(f"{source.path} was changed while it was tagged", "Begin again: --overwrite")

    def _publish(self) -> str | None:
        """Join the parts in the folder of the state, then rename; the path of the rejected rows, or None."""
        folder, paths = self._journal.folder, self._job.paths
        staged, rejects = folder / OUTPUT, folder / REJECTED
        for leftover in (staged, rejects, folder / REPLACED):
            remove(leftover)
        with storage_errors(paths.output):
            for source, numbers in zip(self._sources, self._numbers, strict=True):
                target = staged / source.output if self._job.source.is_dir() else staged
                target.parent.mkdir(parents=True, exist_ok=True)
                source.format.join(source.path, self._job.spec, map(self._journal.part, numbers), target)
                sync(target)
            has_rejects = self._join_rejects(rejects)
            if has_rejects:
                rejects.replace(paths.rejects)
            else:
                paths.rejects.unlink(missing_ok=True)
            if paths.output.is_dir():
                paths.output.rename(folder / REPLACED)
            staged.replace(paths.output)
            sync(paths.output.parent)
        return str(paths.rejects) if has_rejects else None

    def _join_rejects(self, out: Path) -> bool:
        parts = [self._journal.part(number) for number, chunk in sorted(self._journal.done.items()) if chunk.rejected]
        with out.open("wb") as file:
            for part in parts:
                file.write(part.with_suffix(REJECTS).read_bytes())
        sync(out)
        return bool(parts)

    def _summary(self, seconds: float, restarts: int, rejects: str | None, engine: dict[str, str]) -> TagSummary:
        done = sorted(self._journal.done.values(), key=lambda chunk: chunk.number)
        tagged = sum(chunk.rows for chunk in done) - self._resumed
        return TagSummary(
            output=str(self._job.paths.output),
            rejects=rejects,
            files=len(self._sources),
            rows=sum(chunk.rows for chunk in done),
            texts=sum(chunk.texts for chunk in done),
            entities=sum(chunk.entities for chunk in done),
            rejected=sum(chunk.rejected for chunk in done),
            resumed_rows=self._resumed,
            seconds=round(seconds, 3),
            rows_per_second=round(tagged / seconds, 1),
            workers=self._job.workers,
            restarts=restarts,
            set_aside=tuple(SetAside(c.source, c.row, c.row + c.rows - 1) for c in done if c.set_aside),
            engine=engine,
        )
