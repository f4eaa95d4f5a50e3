"""Layer-wise learning rates: lower layers, which hold what all tasks share, move less (ULMFiT, arXiv:1801.06146)."""

from __future__ import annotations

from typing import Any

from edgener_runtime.errors import UserInputError

from .config import TrainConfig
from .model import encoder_layers, without_wrapper

Factors = dict[int, float]
"""The factor of the learning rate by the id of a parameter of the encoder; 1 for any other."""


def rate_factors(model: Any, config: TrainConfig) -> Factors:
    """`layer_decay` once for the top layer, twice for the one below, and so on down to the embeddings.

    New rows of the case channel have the whole rate, like the head. Empty where all have the same rate.
    Raises UserInputError where the layers of the encoder are not known.
    """
    if config.layer_decay == 1:
        return {}
    whole = without_wrapper(model)
    base, layers = whole.base_model, encoder_layers(whole)
    if not len(layers):
        raise UserInputError(
            f"--layer-decay: the layers of {whole.config.model_type} are not known", "Leave --layer-decay out."
        )
    factors = {id(parameter): config.layer_decay ** (len(layers) + 1) for parameter in base.parameters()}
    for number, layer in enumerate(layers):
        factors |= {id(parameter): config.layer_decay ** (len(layers) - number) for parameter in layer.parameters()}
    if config.case_channel:
        del factors[id(base.embeddings.token_type_embeddings.weight)]
    return factors


def set_rates(optimizer: Any, rate: float, factors: Factors) -> None:
    """Part the groups of an optimizer that has made no step by factor, and give each its learning rate."""
    groups = []
    for group in optimizer.param_groups:
        parts: dict[float, list[Any]] = {}
        for parameter in group["params"]:
            parts.setdefault(factors.get(id(parameter), 1.0), []).append(parameter)
        groups += [{**group, "params": part, "lr": rate * factor} for factor, part in parts.items()]
    optimizer.param_groups[:] = groups
