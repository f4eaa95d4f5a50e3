"""What is asked of one worker while the others are stopped: is it right, which batch suits it, how fast is it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from edgener.data.types import Sentence
from edgener.parity.bootstrap import Estimate
from edgener_runtime.errors import ParityError

from .table import Peer
from .tags import Found, change_of, f1_of
from .worker import Worker, Workplace

F1_GAP = 0.05  # below the best: wrong token types or a wrong decoding, no precision costs as much
_TRIALS = 2  # of each batch size; the better counts
_TRIED = 8  # every so many-th text is taken for them


@dataclass(frozen=True)
class Check:
    """Entity F1 of texts one by one and together, milliseconds of the first pass and seconds of the first start.

    Churn is the share of entities that differ from the reference's; the batch effect, of those that differ between
    texts alone and together. None where there is nothing to change.
    """

    f1_alone: float
    f1_together: float
    p50: float
    cold_start: float
    churn_alone: Estimate | None
    churn_together: Estimate | None
    batch_effect: Estimate | None


@dataclass(frozen=True)
class Round:
    """Milliseconds of a text alone at three percentiles, texts a second together, megabytes in memory after it."""

    p50: float
    p95: float
    p99: float
    texts_per_second: float
    rss_mb: float


@contextmanager
def started(
    peers: Sequence[Peer], place: Workplace, texts: Sequence[str], step: Callable[[], None]
) -> Iterator[list[Worker]]:
    """A worker a peer, with its texts and stopped; all ended when left."""
    with ExitStack() as stack:
        workers = []
        for peer in peers:
            workers.append(stack.enter_context(Worker(peer, place)))
            workers[-1].ask("take", texts=list(texts))
            workers[-1].pause()
            step()
        yield workers


def entities_of(peer: Peer, place: Workplace, texts: Sequence[str]) -> list[Found]:
    """What a peer finds in texts one by one, in a process of its own that ends then."""
    with Worker(peer, place) as worker:
        worker.ask("take", texts=list(texts))
        found: list[Found] = worker.ask("latency", entities=True)["entities"]
    return found


def check(worker: Worker, sentences: Sequence[Sentence], expected: Sequence[Found]) -> Check:
    """Score one pass over all sentences, alone and together; it warms the worker up as well.

    `expected` are the entities that the reference finds.
    """
    with worker.awake():
        alone = worker.ask("latency", entities=True)
        together = worker.ask("throughput", entities=True, batch=worker.peer.batches[-1])
    return Check(
        f1_of(sentences, alone["entities"]),
        f1_of(sentences, together["entities"]),
        float(np.median(alone["milliseconds"])),
        worker.cold_start,
        change_of(expected, alone["entities"]),
        change_of(expected, together["entities"]),
        change_of(alone["entities"], together["entities"]),
    )


def refuse_wrong_answers(peers: Sequence[Peer], checks: Sequence[Check]) -> None:
    """Raises ParityError where a peer's F1 is far below the best: its time would be that of another model."""
    best = max(max(found.f1_alone, found.f1_together) for found in checks)
    for peer, found in zip(peers, checks, strict=True):
        if (worst := min(found.f1_alone, found.f1_together)) < best - F1_GAP:
            raise ParityError(
                f"{peer.name} finds entities with F1 {worst:.4f}, the best peer with {best:.4f}",
                f"Check its token types ({peer.case_classes}) and its decoding.",
            )


def choose_batch(worker: Worker) -> int:
    """The number of texts of one run with which a share of them takes the least time."""
    if len(worker.peer.batches) == 1:
        return worker.peer.batches[0]
    with worker.awake():
        seconds = {
            batch: min(worker.ask("throughput", batch=batch, every=_TRIED)["seconds"] for _ in range(_TRIALS))
            for batch in worker.peer.batches
        }
    return min(seconds, key=seconds.__getitem__)


def one_round(worker: Worker, batch: int, texts: int, every: int) -> Round:
    """One pass over every so many-th text alone, and one over all together."""
    with worker.awake():
        alone = worker.ask("latency", every=every)["milliseconds"]
        seconds = worker.ask("throughput", batch=batch)["seconds"]
        p50, p95, p99 = (float(value) for value in np.percentile(alone, (50, 95, 99)))
        return Round(p50, p95, p99, texts / seconds, worker.rss())


def cold_start(peer: Peer, place: Workplace) -> float:
    """Seconds from process start to first entities."""
    with Worker(peer, place) as worker:
        return worker.cold_start
