"""Masks that our runtime never makes but other servers do: left-padded and holed, on real text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Logits = NDArray[np.float32]

Inputs = dict[str, "NDArray[np.int64]"]

# How far logits may stray under a strange mask: twice as far as under the runtime's own, or 2 % of their size. What
# quantisation does is the same under all masks (measured: 6.2, 6.2 and 6.1 %), a mishandled mask does 29 % and more.
TIMES, AT_LEAST = 2.0, 0.02


class Runner(Protocol):
    """What takes a model's inputs as they are: PyTorch, or a variant in the runtime."""

    def run(self, inputs: Inputs) -> Logits:
        """Logits (rows, subwords, labels) of inputs (rows, subwords)."""


@dataclass(frozen=True)
class MaskedText:
    """Real text under one kind of mask, with PyTorch's logits."""

    mask: str
    inputs: Inputs
    logits: Logits


def left_padded(inputs: Inputs) -> Inputs:
    """Each row of right-padded inputs moved to the right end."""
    import numpy as np

    rows = np.arange(len(inputs["attention_mask"]))[:, None]
    width = inputs["attention_mask"].shape[1]
    shift = width - inputs["attention_mask"].sum(axis=1, keepdims=True)
    columns = (np.arange(width)[None, :] - shift) % width
    return {name: array[rows, columns] for name, array in inputs.items()}


def holed(inputs: Inputs) -> Inputs:
    """Every third subword masked out, the first one kept."""
    import numpy as np

    position = np.arange(inputs["attention_mask"].shape[1])[None, :]
    keep = (position % 3 != 1).astype(np.int64)
    return inputs | {"attention_mask": inputs["attention_mask"] * keep}


PLAIN = "right-padded"
MASKS: dict[str, Callable[[Inputs], Inputs]] = {
    PLAIN: lambda inputs: inputs,
    "left-padded": left_padded,
    "holed": holed,
}


def mask_texts(pytorch: Runner, inputs: Inputs) -> tuple[MaskedText, ...]:
    """What PyTorch says of right-padded inputs under each kind of mask."""
    masked = {name: mask(inputs) for name, mask in MASKS.items()}
    return tuple(MaskedText(name, changed, pytorch.run(changed)) for name, changed in masked.items())


def stray(variant: Runner, texts: Sequence[MaskedText]) -> dict[str, float]:
    """By kind of mask, how far a variant's logits are from PyTorch's: the norm of the difference over theirs."""
    import numpy as np

    distances = {}
    for text in texts:
        seen = text.inputs["attention_mask"] == 1
        norm = float(np.linalg.norm(text.logits[seen])) or 1.0
        distances[text.mask] = float(np.linalg.norm((variant.run(text.inputs) - text.logits)[seen])) / norm
    return distances
