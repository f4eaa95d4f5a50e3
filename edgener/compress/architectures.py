"""THE table of encoders that can be pruned: where their layers are, and the settings that count them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgener_runtime.errors import UserInputError


@dataclass(frozen=True)
class LayerNames:
    """The list of layers below the base model, both products of a layer's feed-forward part, and their settings.

    Every layer must be of one shape and depend on the one before it alone, so that a standard config.json describes
    what is left.
    """

    layers: str = "encoder.layer"
    inner: str = "intermediate.dense"
    outer: str = "output.dense"
    count: str = "num_hidden_layers"
    width: str = "intermediate_size"


_BERT_LIKE = (
    "bert", "roberta", "xlm-roberta", "camembert", "electra", "ernie", "mpnet", "data2vec-text", "rembert", "deberta",
    "deberta-v2", "megatron-bert", "roberta-prelayernorm",
)  # fmt: skip
PRUNABLE: Mapping[str, LayerNames] = {
    **dict.fromkeys(_BERT_LIKE, LayerNames()),
    "distilbert": LayerNames("transformer.layer", "ffn.lin1", "ffn.lin2", "n_layers", "hidden_dim"),
}


def layer_names(config: Mapping[str, Any]) -> LayerNames:
    """The row of a model by its config.json. Raises UserInputError with those that can be pruned."""
    name = str(config.get("model_type"))
    if name not in PRUNABLE:
        raise UserInputError(
            f"models of the architecture {name!r} (model_type in config.json) cannot be compressed: where their layers "
            "are, or whether one can be left out, is not known",
            f"Possible are: {', '.join(sorted(PRUNABLE))}",
        )
    return PRUNABLE[name]


def layers_of(model: Any) -> Any:
    """The ModuleList of a model's layers."""
    return model.base_model.get_submodule(PRUNABLE[model.config.model_type].layers)


def feed_forwards_of(model: Any) -> list[tuple[Any, Any]]:
    """The products into and out of the feed-forward part of each layer."""
    names = PRUNABLE[model.config.model_type]
    return [(layer.get_submodule(names.inner), layer.get_submodule(names.outer)) for layer in layers_of(model)]


def set_layers(model: Any, layers: Any) -> None:
    """Give a model another ModuleList of layers, and its configuration their number."""
    names = PRUNABLE[model.config.model_type]
    parent, _, last = names.layers.rpartition(".")
    setattr(model.base_model.get_submodule(parent), last, layers)
    setattr(model.config, names.count, len(layers))


def sizes_of(config: Mapping[str, Any]) -> tuple[int, int]:
    """The number of layers and the width of their feed-forward part, by config.json."""
    names = layer_names(config)
    return int(config[names.count]), int(config[names.width])
