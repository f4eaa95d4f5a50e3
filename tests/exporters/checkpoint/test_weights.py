"""A model is compared only where it is the one in the files: weights left out, missing or reshaped are named."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from edgener_exporters.checkpoint.load import load_reference
from edgener_runtime.errors import UserInputError

pytestmark = pytest.mark.compat

Weights = dict[str, torch.Tensor]
Change = Callable[[Weights], Weights]
LABELS, WIDTH = 5, 32


@pytest.fixture
def folder(bert: Path, tmp_path: Path) -> Path:
    return shutil.copytree(bert, tmp_path / "checkpoint")


def changed(folder: Path, change: Change) -> Path:
    file = folder / "model.safetensors"
    save_file({name: w.contiguous() for name, w in change(load_file(file)).items()}, file, metadata={"format": "pt"})
    return folder


def configured(folder: Path, **settings: Any) -> Path:
    file = folder / "config.json"
    known = json.loads(file.read_text(encoding="utf-8")) | settings
    file.write_text(json.dumps({key: value for key, value in known.items() if value is not None}), encoding="utf-8")
    return folder


def plus(**more: torch.Tensor) -> Change:
    return lambda weights: weights | {name.replace("__", "."): tensor for name, tensor in more.items()}


def renamed(old: str, new: str) -> Change:
    return lambda weights: {re.sub(old, new, name): tensor for name, tensor in weights.items()}


def recurrent(weights: Weights) -> Weights:
    lstm = torch.nn.LSTM(WIDTH, WIDTH, bidirectional=True).state_dict()
    wider = {"classifier.weight": torch.randn(LABELS, 2 * WIDTH)}
    return weights | wider | {f"lstm.{name}": tensor for name, tensor in lstm.items()}


REFUSED: list[tuple[str, Change, list[str]]] = [
    ("a layer of a CRF", plus(decoder__trans=torch.randn(7, 7), decoder__begin=torch.randn(7)),
     ["2 weights that BertForTokenClassification would leave out: decoder.begin, decoder.trans"]),
    ("a second head", plus(slot_head__weight=torch.randn(3, WIDTH)), ["1 weight that", "slot_head.weight"]),
    ("a recurrent layer", recurrent, ["classifier.weight", "lstm.bias_hh_l0", "and 2 more"]),
    ("a head of two layers", renamed(r"^classifier\.", "classifier.1."),
     ["2 of the model's weights missing: classifier.bias, classifier.weight", "classifier.1.weight"]),
    ("a pooler that is attention", plus(attention_pooler__query=torch.randn(WIDTH)), ["attention_pooler.query"]),
    ("no head", lambda weights: {name: w for name, w in weights.items() if "classifier" not in name},
     ["2 of the model's weights missing: classifier.bias, classifier.weight"]),
    ("no bias", lambda weights: {name: w for name, w in weights.items() if name != "classifier.bias"},
     ["1 of the model's weights missing: classifier.bias"]),
    ("another number of labels", plus(classifier__weight=torch.randn(9, WIDTH), classifier__bias=torch.randn(9)),
     ["2 weights of another shape than the 5 labels of config.json give", "expected (5,)", "expected (5, 32)"]),
    ("fewer positions", plus(bert__embeddings__position_embeddings__weight=torch.randn(50, WIDTH)),
     ["1 weight of another shape than config.json gives", "position_embeddings.weight", "expected (140, 32)"]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "named"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED])
def test_a_model_that_is_not_the_one_in_the_files_is_refused(folder: Path, change: Change, named: list[str]) -> None:
    with pytest.raises(UserInputError) as caught:
        load_reference(changed(folder, change))
    assert "\n" not in caught.value.message and caught.value.hint
    for words in named:
        assert words in caught.value.message


@pytest.mark.parametrize(
    ("layers", "named"), [(1, "16 weights that .* would leave out"), (3, "16 of the model's weights missing")]
)
def test_another_number_of_layers_is_refused(folder: Path, layers: int, named: str) -> None:
    with pytest.raises(UserInputError, match=named):
        load_reference(configured(folder, num_hidden_layers=layers))


@pytest.mark.parametrize("front", ["module.", "model.", "encoder_with_head."])
def test_names_with_a_wrapper_s_prefix_are_refused_with_the_prefix(folder: Path, front: str) -> None:
    with pytest.raises(UserInputError, match=r"weights missing: bert\.") as caught:
        load_reference(changed(folder, renamed("^", front)))
    assert repr(front) in str(caught.value.hint)


def old_names(weights: Weights) -> Weights:
    """As the first versions of pytorch-pretrained-bert wrote them, with the heads of pretraining."""
    found = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in weights.items()
    }
    square, row = torch.randn(WIDTH, WIDTH), torch.randn(WIDTH)
    return found | {
        "bert.embeddings.position_ids": torch.arange(140)[None],
        "bert.pooler.dense.weight": square, "bert.pooler.dense.bias": row,
        "cls.predictions.bias": torch.randn(120), "cls.predictions.decoder.weight": torch.randn(120, WIDTH),
        "cls.predictions.transform.dense.weight": square.clone(), "cls.predictions.transform.dense.bias": row.clone(),
        "cls.seq_relationship.weight": torch.randn(2, WIDTH), "cls.seq_relationship.bias": torch.randn(2),
    }  # fmt: skip


def same_logits(one: Any, other: Any) -> bool:
    ids = torch.tensor([[2, 17, 8, 99, 3]])
    with torch.no_grad():
        return torch.equal(one(input_ids=ids).logits, other(input_ids=ids).logits)


def test_poolers_heads_of_pretraining_and_old_names_are_not_refused(bert: Path, folder: Path) -> None:
    before = load_reference(bert)
    assert same_logits(load_reference(changed(folder, old_names)), before)


def test_pickled_weights_are_checked_alike(bert: Path, folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(old_names(weights), folder / "pytorch_model.bin")
    assert same_logits(load_reference(folder), load_reference(bert))
    torch.save({"state_dict": weights, "epoch": 3}, folder / "pytorch_model.bin")
    with pytest.raises(UserInputError, match=r"would leave out: epoch, state_dict|cannot be loaded"):
        load_reference(folder)


def test_shards_are_checked_alike(bert: Path, folder: Path) -> None:
    model = load_reference(bert)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 2
    assert same_logits(load_reference(folder), model)
    shards[1].unlink()
    with pytest.raises(UserInputError, match="cannot be loaded"):
        load_reference(folder)


@pytest.mark.parametrize("architecture", ["roberta", "distilbert", "electra"])
def test_heads_of_pretraining_of_other_models_are_known(
    make_checkpoint: Callable[..., Path], architecture: str, tmp_path: Path
) -> None:
    """Saved from transformers' own class for masked language models, with the classifier beside."""
    import transformers

    folder = shutil.copytree(make_checkpoint(architecture), tmp_path / architecture)
    config = transformers.AutoConfig.from_pretrained(folder)
    heads = transformers.AutoModelForMaskedLM.from_config(config).state_dict()
    own = load_file(folder / "model.safetensors")
    changed(folder, lambda weights: {n: w.clone() for n, w in heads.items() if n not in own} | weights)
    load_reference(folder)
    with pytest.raises(UserInputError, match=r"crf\.transitions"):
        load_reference(changed(folder, plus(crf__transitions=torch.randn(5, 5))))


def test_a_classifier_of_whole_texts_is_refused_although_its_head_fits(folder: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    AutoModelForSequenceClassification.from_pretrained(folder).save_pretrained(folder)
    with pytest.raises(UserInputError, match="is a BertForSequenceClassification, which labels whole texts"):
        load_reference(folder)


def test_code_of_the_checkpoint_is_refused_and_never_run(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "modeling_own.py").write_text("raise SystemExit('it ran')\n", encoding="utf-8")
    own = {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForTokenClassification": "modeling_own.OwnModel"}
    with pytest.raises(UserInputError, match=r"code of its own .*modeling_own\.OwnModel.* never run"):
        load_reference(configured(folder, auto_map=own))
    with pytest.raises(UserInputError, match="cannot be loaded") as caught:
        load_reference(configured(folder, auto_map={"AutoConfig": "modeling_own.OwnConfig"}, model_type="own"))
    assert "never run" in str(caught.value.hint)
    assert "y/N" not in "".join(capfd.readouterr())


def test_code_for_another_task_does_not_matter(bert: Path, folder: Path) -> None:
    configured(folder, auto_map={"AutoModelForSequenceClassification": "modeling_own.OwnModel"})
    assert same_logits(load_reference(folder), load_reference(bert))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["classifier.bias", "bert.encoder.layer.0.output.dense.weight"])
def test_a_model_whose_training_diverged_is_refused(folder: Path, name: str, value: float) -> None:
    def spoil(weights: Weights) -> Weights:
        spoiled = weights[name].clone()
        spoiled.view(-1)[0] = value
        return weights | {name: spoiled}

    with pytest.raises(UserInputError, match=rf"1 weight with values that are not finite .*: {name}"):
        load_reference(changed(folder, spoil))
