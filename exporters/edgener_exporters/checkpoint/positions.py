"""The longest input of a model, found by running it and watching which rows of its tables it looks up."""

from __future__ import annotations

from typing import Any

_PROBE = 8  # subwords
_DEFAULT = 512  # for models without a table of positions whose configuration names no length


def longest_input(model: Any) -> int:
    """The number of subwords, special tokens included, that a model has positions for.

    A table of positions is an embedding that is looked up at consecutive rows, one per subword. Tables that begin after
    the padding's row (RoBERTa's) or at any other one thus count from the first row that is used. Without such a table
    (relative or rotary positions) it is `max_position_embeddings` of the configuration.
    """
    import torch

    lengths: list[int] = []

    def watch(table: Any, inputs: tuple[Any, ...]) -> None:
        if inputs and isinstance(inputs[0], torch.Tensor) and inputs[0].numel() == inputs[0].shape[-1]:  # one row
            rows = inputs[0].flatten().tolist()[:_PROBE]  # Longformer's has padding behind
            if rows == list(range(rows[0], rows[0] + _PROBE)):
                lengths.append(table.num_embeddings - rows[0])

    tables = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    hooks = [table.register_forward_pre_hook(watch) for table in tables]
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(input_ids=_probe(model))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    named = getattr(model.config, "max_position_embeddings", None) or 0  # XLNet says -1
    return min(lengths, default=named if named > 0 else _DEFAULT)


def _probe(model: Any) -> Any:
    """A row of one subword again and again that is not the padding."""
    import torch

    padding = getattr(model.config, "pad_token_id", None) or 0
    return torch.full(
        (1, _PROBE), padding + 1 if padding + 1 < getattr(model.config, "vocab_size", 2) else 0, device=model.device
    )
