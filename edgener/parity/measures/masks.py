"""Attention masks of other servers, which the runtime never makes: left-padded and holed, on real text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edgener_exporters.distance import relative_distance

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Logits = NDArray[np.float32]

Inputs = dict[str, "NDArray[np.int64]"]

# How far logits may deviate under a mask: twice as far as those of the same subwords with nothing masked,
# which is what quantisation alone does to them, or 2 % of their size. Measured on int8-dynamic: 0.9 to 1.6 times as far
# where it is sound, 2.7 to 14 times where the mask is ignored.
TIMES, AT_LEAST = 2.0, 0.02


class Runner(Protocol):
    """Runs a model on its own inputs: PyTorch, or a variant in the runtime."""

    def run(self, inputs: Inputs) -> Logits:
        """Logits (rows, subwords, labels) of inputs (rows, subwords)."""


@dataclass(frozen=True)
class MaskedText:
    """Real text under one kind of mask, with PyTorch's logits under it and with nothing masked."""

    mask: str
    inputs: Inputs
    logits: Logits
    open_logits: Logits


@dataclass(frozen=True)
class MaskDeviation:
    """The relative distance of logits from PyTorch's: under a mask, and with nothing masked."""

    masked: float
    unmasked: float

    @property
    def limit(self) -> float:
        """The largest distance allowed under the mask."""
        return max(TIMES * self.unmasked, AT_LEAST)


def left_padded(inputs: Inputs) -> Inputs:
    """Right-padded inputs with each row moved to the right end."""
    import numpy as np

    rows = np.arange(len(inputs["attention_mask"]))[:, None]
    width = inputs["attention_mask"].shape[1]
    shift = width - inputs["attention_mask"].sum(axis=1, keepdims=True)
    columns = (np.arange(width)[None, :] - shift) % width
    return {name: array[rows, columns] for name, array in inputs.items()}


def holed(inputs: Inputs) -> Inputs:
    """Inputs with every third subword masked out, but never the first."""
    import numpy as np

    position = np.arange(inputs["attention_mask"].shape[1])[None, :]
    keep = (position % 3 != 1).astype(np.int64)
    return inputs | {"attention_mask": inputs["attention_mask"] * keep}


MASKS: dict[str, Callable[[Inputs], Inputs]] = {
    "right-padded": lambda inputs: inputs,
    "left-padded": left_padded,
    "holed": holed,
}


def mask_texts(pytorch: Runner, inputs: Inputs) -> tuple[MaskedText, ...]:
    """PyTorch's logits of right-padded inputs under each kind of mask."""
    masked = {name: mask(inputs) for name, mask in MASKS.items()}
    return tuple(
        MaskedText(name, changed, pytorch.run(changed), pytorch.run(unmasked(changed)))
        for name, changed in masked.items()
    )


def unmasked(inputs: Inputs) -> Inputs:
    """The same inputs with nothing masked, including the padding."""
    import numpy as np

    return inputs | {"attention_mask": np.ones_like(inputs["attention_mask"])}


def mask_deviations(variant: Runner, texts: Sequence[MaskedText]) -> dict[str, MaskDeviation]:
    """By kind of mask, the distance of a variant's logits from PyTorch's at unmasked positions."""
    return {
        text.mask: MaskDeviation(
            _distance(variant.run(text.inputs), text.logits, text.inputs),
            _distance(variant.run(unmasked(text.inputs)), text.open_logits, text.inputs),
        )
        for text in texts
    }


def _distance(found: Logits, expected: Logits, inputs: Inputs) -> float:
    """The norm of the difference over the norm of the expected logits."""
    seen = inputs["attention_mask"] == 1
    return relative_distance(found[seen], expected[seen])
