"""An adapter is merged with the base that it names and computes what peft computes; one that does not fit ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from edgener_exporters.checkpoint.adapter import ADAPTER, base_folder, tokenizer_folder
from edgener_exporters.checkpoint.load import load_config, load_reference
from edgener_runtime.errors import UserInputError

pytestmark = pytest.mark.compat

IDS = torch.tensor([[2, 17, 8, 99, 3]])
NAMES = ("O", "B-PART", "I-PART")


@pytest.fixture(scope="module")
def base(make_checkpoint: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT without a head, as pretrained ones are."""
    from transformers import AutoModel

    folder = tmp_path_factory.mktemp("base")
    AutoModel.from_pretrained(make_checkpoint("bert")).save_pretrained(folder)
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    without = {key: value for key, value in settings.items() if key not in ("id2label", "label2id")}
    (folder / "config.json").write_text(json.dumps(without), encoding="utf-8")
    return folder


def adapted(base: Path, out: Path, with_config: bool = False, **settings: Any) -> Any:
    """Save an adapter of random weights for three labels to `out`, and return peft's model."""
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForTokenClassification

    labels = {"id2label": dict(enumerate(NAMES)), "label2id": {name: number for number, name in enumerate(NAMES)}}
    model = AutoModelForTokenClassification.from_pretrained(base, dtype="float32", num_labels=3, **labels)
    wrapped = get_peft_model(model, LoraConfig(**({"task_type": TaskType.TOKEN_CLS, "r": 2} | settings)))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weights in wrapped.named_parameters():
            if "lora_" in name or "classifier" in name:
                weights += torch.randn_like(weights)
    wrapped.save_pretrained(out)
    if with_config:
        model.config.save_pretrained(out)
    return wrapped.eval()


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=IDS).logits
    return found


@pytest.mark.parametrize("settings", [{}, {"use_rslora": True}, {"target_modules": ["dense"]}, {"use_dora": True}])
def test_an_adapter_computes_what_peft_computes(base: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    wrapped = adapted(base, tmp_path, **settings)
    model = load_reference(tmp_path)
    assert type(model).__name__ == "BertForTokenClassification"
    torch.testing.assert_close(logits(model), logits(wrapped), atol=1e-4, rtol=1e-4)


def test_the_number_of_labels_is_that_of_the_adapter_s_head(base: Path, tmp_path: Path) -> None:
    adapted(base, tmp_path)
    assert load_config(tmp_path).num_labels == 3


def test_a_configuration_beside_the_adapter_names_the_labels(base: Path, tmp_path: Path) -> None:
    adapted(base, tmp_path, with_config=True)
    assert tuple(load_config(tmp_path).id2label.values()) == NAMES


def test_a_base_beside_the_adapter_is_found_wherever_the_command_runs(base: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    wrapped = adapted(base, adapter)
    shutil.copytree(base, adapter / "base")
    renamed_base(adapter, "base")
    torch.testing.assert_close(logits(load_reference(adapter)), logits(wrapped), atol=1e-4, rtol=1e-4)


def test_pickled_adapters_are_merged_alike(base: Path, tmp_path: Path) -> None:
    wrapped = adapted(base, tmp_path)
    torch.save(load_file(tmp_path / "adapter_model.safetensors"), tmp_path / "adapter_model.bin")
    (tmp_path / "adapter_model.safetensors").unlink()
    torch.testing.assert_close(logits(load_reference(tmp_path)), logits(wrapped), atol=1e-4, rtol=1e-4)


def test_embeddings_for_added_tokens_come_with_the_adapter(base: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(base, dtype="float32", num_labels=3)
    model.resize_token_embeddings(123)
    wrapped = get_peft_model(model, LoraConfig(task_type=TaskType.TOKEN_CLS, r=2)).eval()
    wrapped.save_pretrained(tmp_path)
    merged = load_reference(tmp_path)
    assert merged.get_input_embeddings().num_embeddings == 123
    torch.testing.assert_close(logits(merged), logits(wrapped), atol=1e-4, rtol=1e-4)


def test_the_tokenizer_is_the_adapter_s_own_or_its_base_s(base: Path, tmp_path: Path) -> None:
    adapted(base, tmp_path)
    assert tokenizer_folder(tmp_path) == base_folder(tmp_path) == base
    (tmp_path / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    assert tokenizer_folder(tmp_path) == tmp_path


def renamed_base(folder: Path, name: str | None) -> None:
    file = folder / ADAPTER
    settings = json.loads(file.read_text(encoding="utf-8")) | {"base_model_name_or_path": name}
    file.write_text(json.dumps(settings), encoding="utf-8")


@pytest.mark.parametrize("name", ["/nowhere/my-base", "some-user/some-base", None])
def test_a_base_that_is_not_here_is_named(base: Path, tmp_path: Path, name: str | None) -> None:
    adapted(base, tmp_path)
    renamed_base(tmp_path, name)
    expected = f"its base model '{name}' is not a model folder" if name else "does not name the adapter's base model"
    with pytest.raises(UserInputError, match=expected) as caught:
        load_reference(tmp_path)
    assert "base_model_name_or_path" in str(caught.value.hint)


def test_an_adapter_beside_a_whole_model_is_refused(base: Path, tmp_path: Path) -> None:
    adapted(base, tmp_path)
    shutil.copy(base / "model.safetensors", tmp_path)
    with pytest.raises(UserInputError, match=r"both an adapter .* and a whole model"):
        load_reference(tmp_path)


def test_an_adapter_without_its_weights_is_refused(base: Path, tmp_path: Path) -> None:
    adapted(base, tmp_path)
    (tmp_path / "adapter_model.safetensors").unlink()
    with pytest.raises(UserInputError, match=r"no weights of its adapter \(adapter_model\.safetensors\)"):
        load_reference(tmp_path)


def test_damaged_files_of_an_adapter_are_refused(base: Path, tmp_path: Path) -> None:
    adapted(base, tmp_path)
    weights = (tmp_path / "adapter_model.safetensors").read_bytes()
    (tmp_path / "adapter_model.safetensors").write_bytes(weights[:100])
    with pytest.raises(UserInputError, match=r"adapter_model\.safetensors is damaged"):
        load_reference(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(weights)
    (tmp_path / ADAPTER).write_text("{", encoding="utf-8")
    with pytest.raises(UserInputError, match=r"adapter_config\.json is damaged"):
        load_reference(tmp_path)


def test_an_adapter_whose_head_stayed_with_the_author_is_refused(base: Path, tmp_path: Path) -> None:
    """Trained without a task type, peft does not save the head: it would be random."""
    adapted(base, tmp_path, task_type=None, target_modules=["query"])
    with pytest.raises(UserInputError, match=r"missing: classifier\.bias, classifier\.weight"):
        load_reference(tmp_path)


@pytest.mark.parametrize("more", [True, False])
def test_an_adapter_with_weights_that_are_not_used_or_not_there_is_refused(
    base: Path, tmp_path: Path, more: bool
) -> None:
    adapted(base, tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    weights = load_file(file)
    one = next(name for name in weights if "lora_A" in name)
    weights |= {"base_model.model.crf.transitions": torch.randn(3, 3)}
    if not more:
        weights.pop("base_model.model.crf.transitions")
        weights.pop(one)
    save_file(weights, file)
    with pytest.raises(UserInputError, match="does not fit its base") as caught:
        load_reference(tmp_path)
    assert ("crf.transitions" if more else "lora_A") in caught.value.message


def test_an_adapter_of_another_base_is_refused(
    base: Path, make_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    adapted(base, tmp_path)
    renamed_base(tmp_path, str(make_checkpoint("bert", hidden_size=16)))
    with pytest.raises(UserInputError, match=r"cannot be merged with its base|does not fit"):
        load_reference(tmp_path)
