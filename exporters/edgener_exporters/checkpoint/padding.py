"""Models whose answer for a text depends on the padding beside it.

ConvBERT's convolutions and MobileBERT's embeddings read the neighbours of a subword, and do not look at the mask. The
end of a text would get other logits in a batch than alone. Zeros at the padding, which is what they read beyond the
last subword of a text alone, give the answer of the text alone.
"""

from __future__ import annotations

import re
from typing import Any

from edgener_exporters.architectures import ARCHITECTURES


def ignore_padding(model: Any) -> Any:
    """The model itself, with zeros at the padding wherever its architecture would read it."""
    row = ARCHITECTURES.get(model.config.model_type)
    if row is None or row.reads_padding is None:
        return model
    padding = _Padding()
    model.register_forward_pre_hook(padding.remember, with_kwargs=True)
    for name, module in model.named_modules():
        if re.fullmatch(row.reads_padding, name):
            module.register_forward_hook(padding.clear)
    return model


class _Padding:
    """The padding of the inputs that a model runs on, as its hooks see it."""

    def __init__(self) -> None:
        self._real: Any = None

    def remember(self, model: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Take note of the attention mask, (batch, sequence) of 0 and 1 or (batch, 1, 1, sequence) to be added."""
        mask = named.get("attention_mask")
        self._real = None if mask is None else mask != 0 if mask.dim() == 2 else mask[:, 0, 0] == 0

    def clear(self, module: Any, arguments: tuple[Any, ...], output: Any) -> Any:
        """A module's output, alone or first of several, with zeros at the padding."""
        if self._real is None:
            return output
        if isinstance(output, tuple):
            return (self.clear(module, arguments, output[0]), *output[1:])
        return output * self._real[..., None].to(output.dtype)
