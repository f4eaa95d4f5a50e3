"""The whole run: check all, choose their batches, measure them in turns, start them cold in turns."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgener.data.types import Sentence
from edgener.progress import Track
from edgener_runtime.errors import DeviceError, UserInputError

from .measure import (
    Check,
    Round,
    check,
    choose_batch,
    cold_start,
    entities_of,
    one_round,
    refuse_wrong_answers,
    started,
)
from .report import Row, row_of
from .table import REFERENCE, Peer
from .tags import Found
from .worker import Worker, Workplace

COLD_STARTS = 5
Step = Callable[[], None]


@dataclass(frozen=True)
class Plan:
    """Who is measured on what: latency takes every so many-th sentence, throughput all; `subwords` are those of all.

    Churn is counted against what `reference` finds.
    """

    peers: Sequence[Peer]
    place: Workplace
    sentences: Sequence[Sentence]
    subwords: int
    rounds: int
    every: int
    reference: Peer = REFERENCE

    @property
    def texts(self) -> list[str]:
        """The sentences' texts, in order."""
        return [sentence.text for sentence in self.sentences]


def check_all(plan: Plan, track: Track) -> list[Check]:
    """Whether each peer's entities are right. Raises ParityError where one's are not."""
    expected = _expected(plan, track)
    with started(plan.peers, plan.place, plan.texts, track("start", len(plan.peers))) as workers:
        return _checked(workers, plan, expected, track)


def measure(plan: Plan, track: Track) -> list[Row]:
    """A row a peer. Raises ParityError where one's entities are wrong, DeviceError where its worker ends."""
    expected = _expected(plan, track)
    with started(plan.peers, plan.place, plan.texts, track("start", len(plan.peers))) as workers:
        checks = _checked(workers, plan, expected, track)
        batches = [choose_batch(worker) for worker in workers]
        step = track("rounds", plan.rounds * len(workers))
        rounds = [[_round(worker, batch, plan, step) for worker, batch in zip(workers, batches, strict=True)]
                  for _ in range(plan.rounds)]  # fmt: skip
    step = track("cold starts", COLD_STARTS * len(plan.peers))
    starts = [[_start(peer, plan.place, step) for peer in plan.peers] for _ in range(COLD_STARTS)]
    by_peer = zip(plan.peers, checks, batches, zip(*rounds, strict=True), zip(*starts, strict=True), strict=True)
    return [row_of(*parts, plan.subwords / len(plan.sentences)) for parts in by_peer]


def choose_peers(peers: Sequence[Peer], names: Sequence[str]) -> list[Peer]:
    """Those with one of the names in their own, and ours. Raises UserInputError where a name is in none."""
    for name in names:
        if not any(name in peer.name for peer in peers):
            raise UserInputError(f"no peer has {name!r} in its name", f"Choose of: {', '.join(p.name for p in peers)}")
    return [peer for peer in peers if not names or peer.ours or any(name in peer.name for name in names)]


def made_by(peers: Sequence[Peer]) -> list[str]:
    """Whose scripts make models for these peers, each once."""
    return list(dict.fromkeys(peer.made for peer in peers if peer.made))


def pin(threads: int) -> None:
    """Let this process and all that it starts use so many cores. Raises DeviceError where there are fewer."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < threads:
        raise DeviceError(f"there are {len(cores)} cores, expected {threads}", f"Measure with --threads {len(cores)}")
    os.sched_setaffinity(0, cores[:threads])


def _expected(plan: Plan, track: Track) -> list[Found]:
    step = track("reference", 1)
    expected = entities_of(plan.reference, plan.place, plan.texts)
    step()
    return expected


def _checked(workers: Sequence[Worker], plan: Plan, expected: Sequence[Found], track: Track) -> list[Check]:
    step = track("check", len(workers))
    checks = []
    for worker in workers:
        checks.append(check(worker, plan.sentences, expected))
        step()
    refuse_wrong_answers(plan.peers, checks)
    return checks


def _round(worker: Worker, batch: int, plan: Plan, step: Step) -> Round:
    found = one_round(worker, batch, len(plan.sentences), plan.every)
    step()
    return found


def _start(peer: Peer, place: Workplace, step: Step) -> float:
    seconds = cold_start(peer, place)
    step()
    return seconds
