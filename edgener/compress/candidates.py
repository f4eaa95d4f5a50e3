"""The candidates: a short table of shapes, and those of them that a target leaves worth training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST_DEPTHS = 6  # numbers of layers that are tried, with that of the checkpoint
FEWEST_LAYERS = 2
FEED_FORWARD_SHARES = (1, 2)  # the whole width, and half of it


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a candidate: layers, feed-forward neurons per layer, and subwords."""

    layers: int
    feed_forward: int
    vocabulary: int

    def holds(self, other: ModelShape) -> bool:
        """Whether it has at least as much of everything as another."""
        return (
            self.layers >= other.layers
            and self.feed_forward >= other.feed_forward
            and self.vocabulary >= other.vocabulary
        )

    def name(self, full: ModelShape) -> str:
        """What it has less of than the checkpoint, in words."""
        parts = [f"{self.layers} {'layer' if self.layers == 1 else 'layers'}"] * (self.layers != full.layers)
        parts += [f"feed-forward {self.feed_forward}"] * (self.feed_forward != full.feed_forward)
        parts += [f"vocabulary {self.vocabulary}"] * (self.vocabulary != full.vocabulary)
        return ", ".join(parts) or "full"


def depths(layers: int) -> list[int]:
    """The numbers of layers to try: that of the checkpoint down to two, or to one where it has two; at most six."""
    fewest = FEWEST_LAYERS if layers > FEWEST_LAYERS else 1
    steps = min(MOST_DEPTHS, layers - fewest + 1)
    return sorted({layers - round(i * (layers - fewest) / max(1, steps - 1)) for i in range(steps)}, reverse=True)


def shapes(full: ModelShape, vocabulary: int | None) -> list[ModelShape]:
    """The checkpoint's own shape and all candidates, the largest first; `vocabulary` is that of a cut, if one is made.

    A cut within its budget costs no F1 on the text at hand, so all candidates have it.
    """
    cut = [
        ModelShape(layers, full.feed_forward // share, full.vocabulary if vocabulary is None else vocabulary)
        for layers in depths(full.layers)
        for share in FEED_FORWARD_SHARES
    ]
    return list(dict.fromkeys((full, *cut)))


def worth_training(found: Sequence[ModelShape], meets: Callable[[ModelShape], bool]) -> list[ModelShape]:
    """The largest shapes that meet a target, then the smallest that do not: the nearest, should those lose too much F1.

    None where the checkpoint's own shape, the first, meets it; a shape within another one that meets it has nothing
    to win.
    """
    full, *cut = found
    if meets(full):
        return []
    met = [shape for shape in cut if meets(shape)]
    missed = [shape for shape in cut if not meets(shape)]
    largest = [shape for shape in met if not any(other.holds(shape) for other in met if other != shape)]
    smallest = [shape for shape in missed if not any(shape.holds(other) for other in missed if other != shape)]
    return [*largest, *smallest]
