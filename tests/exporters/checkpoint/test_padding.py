"""The logits of a text do not depend on the padding beside it, in no architecture of the table."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from edgener_exporters.architectures import ARCHITECTURES
from edgener_exporters.checkpoint.padding import ignore_padding

from ..encoders import ENCODERS, random_model

pytestmark = pytest.mark.compat

SUBWORDS, PADDING = 20, 9
READERS = [name for name, row in ARCHITECTURES.items() if row.reads_padding]


def effect_of_padding(model: Any) -> float:
    """The largest change of a logit of a text when it is padded."""
    ids = torch.randint(5, 40, (1, SUBWORDS), generator=torch.Generator().manual_seed(1))
    padding = torch.full((1, PADDING), model.config.pad_token_id or 0)
    row = torch.cat([ids, padding], dim=1)
    mask = torch.cat([torch.ones_like(ids), torch.zeros_like(padding)], dim=1)
    with torch.no_grad():
        alone = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        padded = model(input_ids=row, attention_mask=mask).logits[:, :SUBWORDS]
    return float((alone - padded).abs().max())


@pytest.mark.parametrize("architecture", ENCODERS)
def test_padding_changes_no_logit(architecture: str) -> None:
    assert effect_of_padding(ignore_padding(random_model(architecture))) < 1e-4


@pytest.mark.parametrize("architecture", READERS)
def test_without_zeros_at_the_padding_it_would(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = dataclasses.replace(ARCHITECTURES[architecture], reads_padding=None)
    monkeypatch.setitem(ARCHITECTURES, architecture, row)
    assert effect_of_padding(ignore_padding(random_model(architecture))) > 0.1


def test_a_convolution_between_layers_does_not_read_it() -> None:
    """The largest models of DeBERTa v2 have one behind the first layer."""
    model = ignore_padding(random_model("deberta-v2", conv_kernel_size=3, conv_act="gelu"))
    assert effect_of_padding(model) < 1e-4


@pytest.mark.parametrize("architecture", READERS)
def test_a_text_alone_gets_pytorchs_own_logits(architecture: str) -> None:
    ids = torch.randint(5, 40, (2, SUBWORDS), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        own = random_model(architecture)(input_ids=ids).logits
        found = ignore_padding(random_model(architecture))(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    assert torch.equal(own, found)
