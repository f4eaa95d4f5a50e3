"""Neurons of the feed-forward parts: those that move the output least are left out, as many in every layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .architectures import PRUNABLE, feed_forwards_of


def neuron_importances(model: Any, inputs: Iterable[Mapping[str, Any]]) -> list[Any]:
    """For each layer the importance of its neurons: mean activation (without its sign) times the norm of the outgoing
    weights.

    `inputs` are tensors (batch, sequence) of texts without padding, each named as the model names it.
    """
    import torch

    parts = feed_forwards_of(model)
    sums = [torch.zeros(outer.in_features, dtype=torch.float64) for _, outer in parts]
    hooks = [outer.register_forward_pre_hook(_adder(total)) for (_, outer), total in zip(parts, sums, strict=True)]
    try:
        with torch.no_grad():
            for each in inputs:
                model(**each)
    finally:
        for hook in hooks:
            hook.remove()
    return [total * outer.weight.detach().norm(dim=0) for (_, outer), total in zip(parts, sums, strict=True)]


def _adder(total: Any) -> Any:
    """A hook that adds up what comes into a product: a value that it returned would replace that."""

    def add(_: Any, given: tuple[Any, ...]) -> None:
        total.add_(given[0].abs().flatten(0, -2).sum(0))

    return add


def keep_neurons(model: Any, width: int, importances: list[Any]) -> None:
    """Leave out all but the `width` most important neurons of each layer; config.json has the new width."""
    import torch

    for (inner, outer), found in zip(feed_forwards_of(model), importances, strict=True):
        kept = torch.topk(found, width).indices.sort().values
        with torch.no_grad():
            inner.weight = torch.nn.Parameter(inner.weight[kept].clone())
            inner.bias = torch.nn.Parameter(inner.bias[kept].clone())
            outer.weight = torch.nn.Parameter(outer.weight[:, kept].clone())
        inner.out_features = outer.in_features = width
    setattr(model.config, PRUNABLE[model.config.model_type].width, width)
