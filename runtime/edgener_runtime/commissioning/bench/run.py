"""The bench: every place in turns, round after round in fresh processes, until all is precise or the time is over."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from edgener_runtime import __version__
from edgener_runtime.base.files import sha256_of
from edgener_runtime.bundle.manifest import MANIFEST, Manifest
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.commissioning.bench.drivers.choose import pick_driver
from edgener_runtime.commissioning.bench.metering.fingerprint import fingerprint
from edgener_runtime.commissioning.bench.metering.isolation import machine_notes
from edgener_runtime.commissioning.bench.results.record import BUDGET, INTERRUPTED, BenchResult
from edgener_runtime.text.tokenize import TextTokenizer

from .cases import Entry
from .plan import Place, cases_of, places_of, require_any, require_distinct
from .spec import Spec
from .time_budget import Pace, Shares
from .turn import Visit
from .workloads import WorkTexts, make_works, write_works

HERE = Path("/")
Files = tuple[Path, Path | None]


@dataclass(frozen=True)
class Step:
    """How far a bench is: what runs in which round, how many of all rows go on, and seconds since it began."""

    round: int
    place: Place
    open_rows: int
    rows: int
    seconds: float


def ignore(step: object) -> None:
    """Run a bench without a word."""


def run(
    spec: Spec,
    tell: Callable[[Step], None] = ignore,
    keep: Callable[[BenchResult], None] = ignore,
    more: Sequence[Place] = (),
) -> BenchResult:
    """Measure what a spec asks for, and in the same turns `more` places.

    `tell` is called before each turn of a place, `keep` at the start and after each turn with what is known by then,
    marked partial. Ctrl-C ends it with a partial result. Raises UserInputError, BundleError, ProviderError where
    nothing can run here, and what `keep` raises.
    """
    manifest = verify_bundle(Path(spec.bundle))
    works = make_works(spec, TextTokenizer(Path(spec.bundle) / manifest.tokenizer.file, manifest.tokenizer))
    require_distinct(works)
    places = [*places_of(spec, manifest), *more]
    require_any(places)
    return Bench(spec, manifest, works, places).run(tell, keep)


class Bench:
    """What is asked, and what was found so far."""

    def __init__(self, spec: Spec, manifest: Manifest, works: Sequence[WorkTexts], places: Sequence[Place]) -> None:
        self._spec = spec
        self._manifest = manifest
        self._works = works
        self._driver, _ = pick_driver(spec.driver)
        numbers = {work.name: number for number, work in enumerate(works)}
        self._entries = [
            Entry(case, place, numbers[case.work], place.why_not)
            for place in places
            for case in cases_of(spec, place, works)
        ]
        self._fingerprint = fingerprint(HERE)
        self._notes = machine_notes(HERE)
        self._begun = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._start = time.monotonic()

    def run(self, tell: Callable[[Step], None], keep: Callable[[BenchResult], None]) -> BenchResult:
        """Round after round; what was measured by then where Ctrl-C ends it."""
        keep(self._result(INTERRUPTED))
        with tempfile.TemporaryDirectory(prefix="edgener-bench-") as folder:
            files = write_works(self._works, Path(folder))
            try:
                self._rounds(files, tell, keep)
            except KeyboardInterrupt:
                return self._result(INTERRUPTED)
        return self._result(BUDGET)

    def _rounds(self, files: Files, tell: Callable[[Step], None], keep: Callable[[BenchResult], None]) -> None:
        pace, number = Pace(), 0
        while (places := self._open_places()) and pace.begin_round(number, self._left, _shares(places)):
            for place in reversed(places) if number % 2 else places:
                rows = sum(map(len, places.values()))
                tell(Step(number + 1, place, rows, len(self._entries), time.monotonic() - self._start))
                Visit(place, places[place], self._spec.within, pace).make(self._driver, *files, number)
                keep(self._result(INTERRUPTED))
            number += 1

    @property
    def _left(self) -> float:
        return self._spec.seconds - (time.monotonic() - self._start)

    def _open_places(self) -> dict[Place, list[Entry]]:
        places: dict[Place, list[Entry]] = {}
        for entry in self._entries:
            if entry.is_open:
                places.setdefault(entry.place, []).append(entry)
        return places

    def _result(self, ended_by: str) -> BenchResult:
        rows = tuple(entry.row(ended_by) for entry in self._entries)
        return BenchResult(
            self._spec.name or self._fingerprint.board or self._fingerprint.cpu,
            __version__,
            self._manifest.name,
            sha256_of(Path(self._spec.bundle) / MANIFEST),
            self._begun,
            time.monotonic() - self._start,
            self._driver,
            self._fingerprint,
            tuple(work.record() for work in self._works),
            rows,
            self._notes,
            partial=any(row.ended_by == INTERRUPTED for row in rows),
        )


def _shares(places: Mapping[Place, Sequence[Entry]]) -> Shares:
    return {place: {entry.case: entry.slices for entry in entries} for place, entries in places.items()}
