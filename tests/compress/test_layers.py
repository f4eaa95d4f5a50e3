"""Which layers stay, and what is left of a model in plain transformers."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from edgener.compress.architectures import PRUNABLE, feed_forwards_of, layer_names, layers_of, sizes_of
from edgener.compress.feed_forward import keep_neurons, neuron_importances
from edgener.compress.layers import MOST_WAYS, choose_layers, keep_layers, only_layers
from edgener_exporters.architectures import ARCHITECTURES
from edgener_runtime.errors import UserInputError

from ..exporters.encoders import random_model

pytestmark = pytest.mark.compat
THREE = {"num_hidden_layers": 3}


def some_ids() -> Any:
    import torch

    return torch.randint(5, 100, (2, 9), generator=torch.Generator().manual_seed(1))


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model.eval()(input_ids=some_ids(), attention_mask=torch.ones(2, 9, dtype=torch.long)).logits


def three_layers(architecture: str) -> Any:
    return random_model(architecture, **({"n_layers": 3} if architecture == "distilbert" else THREE))


def test_few_ways_are_all_tried_and_the_best_wins() -> None:
    worth = [0.1, 0.3, 0.0, 0.2, 0.05, 0.4]
    choice = choose_layers(6, 4, lambda kept: sum(worth[number] for number in kept))
    assert choice.kept == (0, 1, 3, 5) and choice.tried == 15
    assert choice.f1 == pytest.approx(1.0) and choice.lowest == pytest.approx(0.35)


def test_many_ways_are_tried_one_layer_after_another() -> None:
    tried = []

    def score(kept: tuple[int, ...]) -> float:
        tried.append(kept)
        return sum(number % 2 for number in kept)

    choice = choose_layers(12, 6, score)
    assert choice.kept == (1, 3, 5, 7, 9, 11)
    assert choice.tried == len(tried) == 12 + 11 + 10 + 9 + 8 + 7 < len([*combinations(range(12), 6)])
    assert MOST_WAYS < 66


def test_of_equal_ways_the_first_wins() -> None:
    assert choose_layers(4, 2, lambda kept: 0.0).kept == (0, 1)


@pytest.mark.parametrize("architecture", PRUNABLE)
def test_plain_transformers_loads_what_is_left(architecture: str, tmp_path: Path) -> None:
    from transformers import AutoModelForTokenClassification

    model = three_layers(architecture)
    keep_layers(model, (0, 2))
    with_all = logits(model)
    keep_neurons(model, 48, neuron_importances(model, [{"input_ids": some_ids()}]))
    expected = logits(model)
    model.save_pretrained(tmp_path)
    loaded, report = AutoModelForTokenClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert sizes_of(loaded.config.to_dict()) == (2, 48)
    assert logits(loaded).equal(expected)
    assert not expected.equal(with_all)


def test_a_dropped_layer_is_as_if_it_were_not_there() -> None:
    model = random_model("bert", **THREE)
    whole = logits(model)
    with only_layers(model, (0, 2)):
        assert len(layers_of(model)) == model.config.num_hidden_layers == 2
        part = logits(model)
    assert model.config.num_hidden_layers == 3 and logits(model).equal(whole)
    layer = layers_of(model)[1]
    original = layer.forward

    def nothing(states: Any, *others: Any, **named: Any) -> Any:
        """The states as they come, in what the layer returns: transformers 4.57 has a tuple."""
        return (states,) if isinstance(original(states, *others, **named), tuple) else states

    layer.forward = nothing
    assert logits(model).allclose(part, atol=1e-6)


def test_neurons_that_do_nothing_go_first() -> None:
    import torch

    model = random_model("bert")
    idle = torch.arange(1, 64, 2)
    with torch.no_grad():
        for number, (inner, outer) in enumerate(feed_forwards_of(model)):
            if number:  # no outgoing weight, or no activation
                outer.weight[:, idle] = 0
            else:
                inner.weight[idle], inner.bias[idle] = 0, 0
    expected = logits(model)
    keep_neurons(model, 32, neuron_importances(model, [{"input_ids": some_ids()}]))
    assert logits(model).allclose(expected, atol=1e-5)


@pytest.mark.parametrize("architecture", sorted(set(ARCHITECTURES) - set(PRUNABLE)))
def test_other_architectures_are_refused_by_name(architecture: str) -> None:
    with pytest.raises(UserInputError, match=f"'{architecture}'") as caught:
        layer_names({"model_type": architecture})
    assert caught.value.hint and "distilbert" in caught.value.hint


def test_a_configuration_cannot_say_that_layers_have_fewer_heads() -> None:
    """Why heads are not pruned: the width of a head is that of the model over their number."""
    import transformers

    settings = {"vocab_size": 9, "hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 8}
    fewer = transformers.BertModel(transformers.BertConfig(num_attention_heads=2, **settings))
    assert fewer.encoder.layer[0].attention.self.query.out_features == 32
    with pytest.raises(ValueError, match="multiple of the number of attention heads"):
        transformers.BertModel(transformers.BertConfig(num_attention_heads=3, **settings))
