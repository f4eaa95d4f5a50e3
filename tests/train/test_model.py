"""The model to be trained: its head, what is frozen, adapters, the case channel."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener.train.config import TrainConfig
from edgener.train.model import LEARNING_RATES, learning_rate, load_model, merge_adapters
from edgener_runtime.errors import UserInputError

pytestmark = pytest.mark.compat

LABELS = ("O", "B-PLANET", "I-PLANET", "B-STAR", "I-STAR")


def trained_names(model: Any) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_the_head_has_the_data_s_labels_whatever_the_model_had(tiny: Path) -> None:
    model = load_model(str(tiny), LABELS, TrainConfig())
    assert model.config.id2label == dict(enumerate(LABELS))
    assert model.config.label2id["I-STAR"] == 4
    assert model.classifier.out_features == 5
    assert trained_names(model) == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize("other", [LABELS[::-1], ("O", "I-STAR", "B-MOON", "I-PLANET", "B-PLANET")])
def test_a_head_that_was_trained_before_follows_the_names_of_its_labels(
    tiny: Path, tmp_path: Path, other: tuple[str, ...]
) -> None:
    import torch

    before = load_model(str(tiny), LABELS, TrainConfig())
    before.save_pretrained(tmp_path)
    after = load_model(str(tmp_path), other, TrainConfig())
    ids = torch.tensor([[5, 6, 7]])
    old, new = (model.eval()(input_ids=ids).logits for model in (before, after))
    for label in set(other) & set(LABELS):
        torch.testing.assert_close(new[..., other.index(label)], old[..., LABELS.index(label)])


def test_a_head_of_the_same_labels_stays_and_one_of_other_labels_only_keeps_its_size(
    tiny: Path, tmp_path: Path
) -> None:
    before = load_model(str(tiny), LABELS, TrainConfig())
    before.save_pretrained(tmp_path)
    for labels in (LABELS, ("a", "b", "c", "d", "e")):
        after = load_model(str(tmp_path), labels, TrainConfig())
        assert (after.classifier.weight == before.classifier.weight).all()


@pytest.mark.parametrize(("width", "expected"), [(32, 1e-3), (384, 2e-4), (768, 5e-5), (1024, 2e-5)])
def test_small_encoders_get_larger_steps(tiny: Path, width: int, expected: float) -> None:
    model = load_model(str(tiny), LABELS, TrainConfig())
    model.config.hidden_size = width
    assert learning_rate(model, TrainConfig()) == expected
    assert learning_rate(model, TrainConfig(learning_rate=0.5)) == 0.5
    assert [limit for limit, _ in LEARNING_RATES] == sorted(limit for limit, _ in LEARNING_RATES)


def test_dropout_is_set_everywhere_or_left_alone(tiny: Path) -> None:
    import torch

    def rates(config: TrainConfig) -> set[float]:
        modules = load_model(str(tiny), LABELS, config).modules()
        return {module.p for module in modules if isinstance(module, torch.nn.Dropout)}

    assert rates(TrainConfig()) == {0.1}
    assert rates(TrainConfig(dropout=0.25)) == {0.25}
    assert rates(TrainConfig(dropout=0.0)) == {0.0}


def test_the_case_channel_is_four_rows_close_to_the_old_first(tiny: Path) -> None:
    old = load_model(str(tiny), LABELS, TrainConfig()).bert.embeddings.token_type_embeddings.weight
    model = load_model(str(tiny), LABELS, TrainConfig(case_channel=True))
    new = model.bert.embeddings.token_type_embeddings.weight
    assert model.config.type_vocab_size == len(new) == 4
    assert 0 < (new - old[0]).abs().max() < 0.05
    assert len({tuple(row) for row in new.tolist()}) == 4


@pytest.mark.parametrize("architecture", ["distilbert"])
def test_the_case_channel_needs_token_types(make_model: Callable[[str], Path], architecture: str) -> None:
    with pytest.raises(UserInputError, match="needs token_type embeddings, which distilbert does not have"):
        load_model(str(make_model(architecture)), LABELS, TrainConfig(case_channel=True))


@pytest.mark.parametrize("architecture", ["bert-cased", "roberta", "distilbert", "electra"])
def test_what_is_frozen_needs_no_gradient(make_model: Callable[[str], Path], architecture: str) -> None:
    source = str(make_model(architecture))
    whole = trained_names(load_model(source, LABELS, TrainConfig()))
    assert {name for name in whole if ".embeddings." in name or ".layer.0." in name}
    for settings, frozen in (
        ({"freeze": "embeddings"}, (".embeddings.",)),
        ({"freeze_layers": 1}, (".layer.0.",)),
        ({"freeze": "embeddings", "freeze_layers": 2}, (".embeddings.", ".layer.0.", ".layer.1.")),
    ):
        trained = trained_names(load_model(source, LABELS, TrainConfig(**settings)))  # type: ignore[arg-type]
        assert trained == {name for name in whole if not any(part in name for part in frozen)}
    head = trained_names(load_model(source, LABELS, TrainConfig(freeze="encoder")))
    assert head and all(name.startswith("classifier.") for name in head)


def test_new_rows_of_the_case_channel_are_trained_in_a_frozen_encoder(tiny: Path) -> None:
    trained = trained_names(load_model(str(tiny), LABELS, TrainConfig(freeze="encoder", case_channel=True)))
    assert trained == {"bert.embeddings.token_type_embeddings.weight", "classifier.weight", "classifier.bias"}


def test_more_frozen_layers_than_there_are_is_refused(tiny: Path) -> None:
    with pytest.raises(UserInputError, match="--freeze-layers 3: the encoder has 2 layers"):
        load_model(str(tiny), LABELS, TrainConfig(freeze_layers=3))


def test_adapters_train_beside_the_head_and_the_case_channel_only(tiny: Path) -> None:
    trained = trained_names(load_model(str(tiny), LABELS, TrainConfig(lora_rank=2, case_channel=True)))
    parts = ("lora_", "classifier.modules_to_save", "token_type_embeddings.modules_to_save")
    assert all(any(part in name for part in parts) for name in trained)
    assert all(any(part in name for name in trained) for part in parts)


def test_frozen_layers_get_no_adapters(tiny: Path) -> None:
    trained = trained_names(load_model(str(tiny), LABELS, TrainConfig(lora_rank=2, freeze_layers=1)))
    assert any(".layer.1." in name for name in trained)
    assert not any(".layer.0." in name for name in trained)
    with pytest.raises(UserInputError, match="nothing to adapt"):
        load_model(str(tiny), LABELS, TrainConfig(lora_rank=2, freeze_layers=2))


def test_a_kind_of_model_that_adapters_do_not_know_is_named(make_model: Callable[[str], Path]) -> None:
    with pytest.raises(UserInputError, match="--lora-rank does not know distilbert"):
        load_model(str(make_model("distilbert")), LABELS, TrainConfig(lora_rank=2))


def test_merged_adapters_compute_what_they_did_before(tiny: Path) -> None:
    import torch

    torch.manual_seed(3)
    model = load_model(str(tiny), LABELS, TrainConfig(lora_rank=2, case_channel=True)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                parameter += 0.3 * torch.randn_like(parameter)
        inputs = {"input_ids": torch.tensor([[5, 6, 7, 8]]), "token_type_ids": torch.tensor([[0, 1, 2, 3]])}
        before = model(**inputs).logits
        merged = merge_adapters(model)
        assert torch.allclose(merged(**inputs).logits, before, atol=1e-5)
        assert not [name for name in merged.state_dict() if "lora" in name or "modules_to_save" in name]


# --- bad models


def broken(tiny: Path, folder: Path, file: str, content: bytes | None) -> str:
    copy = shutil.copytree(tiny, folder / "model")
    if content is None:
        (copy / file).unlink()
    else:
        (copy / file).write_bytes(content)
    return str(copy)


@pytest.mark.parametrize(
    ("file", "content"),
    [("config.json", None), ("config.json", b"{"), ("config.json", b'{"model_type": "unheard-of"}'),
     ("model.safetensors", None), ("model.safetensors", b""), ("model.safetensors", b"\0" * 4096)],
)  # fmt: skip
def test_a_folder_without_a_whole_model_is_refused(
    tiny: Path, tmp_path: Path, file: str, content: bytes | None
) -> None:
    with pytest.raises(UserInputError, match="cannot load an encoder from") as caught:
        load_model(broken(tiny, tmp_path, file, content), LABELS, TrainConfig())
    assert caught.value.hint and "\n" not in caught.value.message


def test_half_written_weights_are_refused(tiny: Path, tmp_path: Path) -> None:
    content = (tiny / "model.safetensors").read_bytes()
    with pytest.raises(UserInputError, match="cannot load an encoder from"):
        load_model(broken(tiny, tmp_path, "model.safetensors", content[: len(content) // 2]), LABELS, TrainConfig())


def test_an_encoder_without_some_weights_is_not_filled_with_random_ones(tiny: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(tiny, tmp_path / "model")
    weights = load_file(copy / "model.safetensors")
    del weights["bert.encoder.layer.1.output.dense.weight"]
    weights["bert.embeddings.word_embeddings.weight"] = weights["bert.embeddings.word_embeddings.weight"][:300].clone()
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserInputError, match="has 2 of the encoder's weights missing") as caught:
        load_model(str(copy), LABELS, TrainConfig())
    assert "bert.encoder.layer.1.output.dense.weight" in caught.value.message


def test_labels_keep_their_rows_where_others_are_added(tiny: Path, tmp_path: Path) -> None:
    import torch

    before = load_model(str(tiny), LABELS, TrainConfig())
    before.save_pretrained(tmp_path)
    more = ("O", "B-MOON", "I-MOON", *LABELS[1:])
    after = load_model(str(tmp_path), more, TrainConfig())
    ids = torch.tensor([[5, 6, 7]])
    old, new = (model.eval()(input_ids=ids).logits for model in (before, after))
    assert new.shape[-1] == len(more)
    torch.testing.assert_close(new[..., [more.index(label) for label in LABELS]], old)


@pytest.mark.parametrize(
    ("own_tags", "rows"),
    [
        (("O", "S-STAR", "B-STAR", "I-STAR", "E-STAR"), {"B-STAR": 2, "I-STAR": 3}),  # BIOES
        (("O", "O", "I-STAR", "I-MOON"), {"B-STAR": 2, "I-STAR": 2, "O": 0}),  # IO, with an ignored label
        (("I-STAR", "E-PLANET", "S-PLANET", "O"), {"B-PLANET": 2, "I-PLANET": 1, "O": 3}),
    ],
)
def test_labels_of_another_scheme_start_from_the_rows_of_their_role_or_type(
    tiny: Path, tmp_path: Path, own_tags: tuple[str, ...], rows: dict[str, int]
) -> None:
    names = tuple(f"name {number}" for number in range(len(own_tags)))
    before = load_model(str(tiny), names, TrainConfig())
    before.save_pretrained(tmp_path)
    after = load_model(str(tmp_path), LABELS, TrainConfig(), own_tags)
    for label, row in rows.items():
        assert after.classifier.weight[LABELS.index(label)].equal(before.classifier.weight[row])


def test_a_case_channel_that_was_trained_stays(finished: tuple[Path, Any]) -> None:
    from safetensors.torch import load_file

    model = load_model(str(finished[0]), ("O", "B-NAME", "I-NAME"), TrainConfig(case_channel=True))
    name = "bert.embeddings.token_type_embeddings.weight"
    assert model.state_dict()[name].equal(load_file(finished[0] / "model.safetensors")[name])
