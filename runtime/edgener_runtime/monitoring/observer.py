"""What becomes of answered texts beside their answers: they are counted, and the least certain ones are queued."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from edgener_runtime.decoding.decode import Decoder, Scored
from edgener_runtime.text.chunks import ProbeText
from edgener_runtime.text.tokenize import Subwords

from .counts import certainties
from .drift import DriftMonitor
from .label_queue import LabelQueue, masked
from .queue_file import UncertainText


@dataclass(frozen=True)
class Observer:
    """Counts texts with a monitor, and offers them to a queue, each where there is one."""

    decoder: Decoder
    bundle_version: str
    drift: DriftMonitor | None = None
    queue: LabelQueue | None = None

    def observe(self, texts: Sequence[str], encoded: Sequence[Subwords], scored: Scored) -> None:
        """Count and offer answered texts with their subwords and logits; the program's own are left out."""
        certainty = certainties(scored)
        own = [isinstance(text, ProbeText) for text in texts]
        if self.drift:
            rows = self.drift.counter.rows([subwords.ids for subwords in encoded], scored, certainty)
            self.drift.add(rows[[not probe for probe in own]] if any(own) else rows)
        if self.queue:
            values = certainty.tolist()
            for number, subwords in enumerate(encoded):
                if values[number] < self.queue.bar and subwords.ids and not own[number]:
                    self._offer(self.queue, subwords.text, values[number], scored, number)
            self.queue.keep_up()

    def _offer(self, queue: LabelQueue, text: str, certainty: float, scored: Scored, number: int) -> None:
        if queue.masked:
            text = masked(text, self.decoder.entities([text], _alone(scored, number))[0])
        queue.offer(UncertainText(round(certainty, 4), text, self.bundle_version))


def _alone(scored: Scored, number: int) -> Scored:
    """One of several texts."""
    ends = list(accumulate(scored.counts))
    start, end = ends[number] - scored.counts[number], ends[number]
    continues: Callable[[], Sequence[bool]] = lambda: scored.continues()[start:end]  # noqa: E731
    return replace(
        scored,
        logits=scored.logits[start:end],
        offsets=scored.offsets[start:end],
        counts=[scored.counts[number]],
        continues=continues,
    )
