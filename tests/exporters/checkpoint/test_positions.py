"""The longest input is asked of the model: positions that begin anywhere in their table, or no table at all."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from edgener_exporters.checkpoint.positions import longest_input

pytestmark = pytest.mark.compat

SIZES: dict[str, Any] = {
    "vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": 40, "num_labels": 3,
}  # fmt: skip
CASES = [
    ("BertConfig", {}, 40),
    ("DistilBertConfig", {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}, 40),
    ("ElectraConfig", {"embedding_size": 16}, 40),
    ("RobertaConfig", {"pad_token_id": 1}, 38),
    ("RobertaConfig", {"pad_token_id": 5}, 34),
    ("XLMRobertaConfig", {"pad_token_id": 1}, 38),
    ("CamembertConfig", {"pad_token_id": 1}, 38),
    ("MPNetConfig", {"pad_token_id": 1}, 38),
    ("Data2VecTextConfig", {"pad_token_id": 1}, 38),
    ("RobertaPreLayerNormConfig", {"pad_token_id": 1}, 38),
    ("LongformerConfig", {"pad_token_id": 1, "attention_window": 8}, 38),
    ("BigBirdConfig", {"attention_type": "block_sparse"}, 40),
    ("GPT2Config", {"n_positions": 40, "n_embd": 16, "n_layer": 1, "n_head": 2}, 40),
    ("NystromformerConfig", {"num_landmarks": 4, "segment_means_seq_len": 8}, 40),
    ("DebertaV2Config", {"position_biased_input": False, "relative_attention": True}, 40),
    ("DebertaV2Config", {"position_biased_input": True, "type_vocab_size": 0}, 40),
]


@pytest.mark.parametrize(("config", "settings", "expected"), CASES)
def test_the_longest_input_is_that_of_the_table(config: str, settings: dict[str, Any], expected: int) -> None:
    import transformers

    made = getattr(transformers, config)(**(SIZES | settings))
    model = transformers.AutoModelForTokenClassification.from_config(made)
    assert longest_input(model) == expected
    assert model.training  # as it was


def test_the_model_cannot_run_one_subword_more() -> None:
    import transformers

    config = transformers.Data2VecTextConfig(**(SIZES | {"pad_token_id": 3}))
    model = transformers.AutoModelForTokenClassification.from_config(config).eval()
    longest = longest_input(model)
    model(input_ids=torch.full((1, longest), 7))
    with pytest.raises((IndexError, RuntimeError), match="out of"):
        model(input_ids=torch.full((1, longest + 1), 7))


def test_a_model_without_a_table_or_a_length_gets_512() -> None:
    import transformers

    config = transformers.BertConfig(**SIZES)
    model = transformers.AutoModelForTokenClassification.from_config(config)
    model.bert.embeddings.position_embeddings = Fixed(16)
    assert longest_input(model) == 40
    model.config.max_position_embeddings = -1
    assert longest_input(model) == 512


class Fixed(torch.nn.Module):  # type: ignore[misc]
    """Positions from a formula, as sinusoidal ones are."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, positions: Any) -> Any:
        return torch.sin(positions)[..., None].expand(*positions.shape, self.width)
