"""What people bring as a checkpoint: every command reads it alike, or says with exit 2 what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgener.checkpoint import open_checkpoint
from edgener.cli.main import main
from edgener_runtime import TokenClassifier

pytestmark = pytest.mark.compat

Commands = Callable[[Path], dict[str, Result]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for each split, with a text that is longer than any window here."""
    folder = tmp_path_factory.mktemp("data")
    long = " ".join(f"pump {number} of silo 3" for number in range(60))
    for split in ("train", "valid", "test"):
        texts = [f"{split}: the pump leaks", f"{split}: {long}", f"{split}: filter 7 blocked"]
        records = [{"text": text, "entities": [{"start": 0, "end": len(split), "label": "PART"}]} for text in texts]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


@pytest.fixture
def commands(data: Path, tmp_path: Path) -> Commands:
    """Run every command that reads a checkpoint."""
    runs = {
        "inspect": ["data", "inspect", "--data", data, "--tokenizer"],
        "train": ["train", "--data", data, "--out", tmp_path / "trained", "--model"],
        "evaluate": ["evaluate", "--data", data],
        "export": ["export", "--data", data, "--variant", "fp32", "--out", tmp_path / "bundle"],
    }

    def run(folder: Path) -> dict[str, Result]:
        return {
            name: CliRunner().invoke(main, [*map(str, arguments), str(folder)], input="")
            for name, arguments in runs.items()
        }

    return run


def check_refused(results: dict[str, Result], *words: str) -> None:
    for name, done in results.items():
        assert done.exit_code == 2, (name, done.output)
        assert "Traceback" not in done.output and "y/N" not in done.output
        for word in words:
            assert word in " ".join(done.output.split()), (name, done.output)


def edit(file: Path, **changes: Any) -> None:
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    kept = {key: value for key, value in (known | changes).items() if value is not None}
    file.write_text(json.dumps(kept), encoding="utf-8")


@pytest.fixture
def folder(make_model: Callable[[str], Path], tmp_path: Path) -> Path:
    return shutil.copytree(make_model("bert-uncased"), tmp_path / "checkpoint")


def without(results: dict[str, Result], name: str) -> dict[str, Result]:
    return {key: done for key, done in results.items() if key != name}


def test_tokens_without_embeddings_are_refused_with_both_counts(folder: Path, commands: Commands) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<asset>", "QX-77", "QX-78", "QX-79"])
    tokenizer.save_pretrained(folder)
    check_refused(
        without(commands(folder), "inspect"), "the tokenizer has 404 token ids", "embeddings have 400 rows",
        "'<asset>', 'QX-77', 'QX-78' ...",
    )  # fmt: skip


def test_special_tokens_of_another_file_without_embeddings_are_refused(folder: Path, commands: Commands) -> None:
    edit(folder / "tokenizer_config.json", unk_token="[UNKNOWN]")
    check_refused(without(commands(folder), "inspect"), "401 token ids", "400 rows", "'[UNKNOWN]'")


OPTIONS = {
    "BertJapaneseTokenizer": {"word_tokenizer_type": "basic", "subword_tokenizer_type": "character"},
}


@pytest.mark.parametrize("name", ["CanineTokenizer", "BertJapaneseTokenizer", "CpmTokenizer", "ProphetNetTokenizer"])
def test_tokenizers_without_a_fast_form_are_refused_everywhere(folder: Path, commands: Commands, name: str) -> None:
    words = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    for file in ("tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"):
        (folder / file).unlink(missing_ok=True)
    for file in ("vocab.txt", "prophetnet.tokenizer"):
        (folder / file).write_text("\n".join(sorted(words, key=words.__getitem__)) + "\n", encoding="utf-8")
    edit(folder / "tokenizer_config.json", tokenizer_class=name, **OPTIONS.get(name, {}))
    check_refused(commands(folder), "tokenizer")


def test_a_model_of_characters_is_refused_for_its_tokenizer(commands: Commands, tmp_path: Path) -> None:
    import transformers

    names = {"id2label": {0: "O", 1: "B-PART", 2: "I-PART"}, "label2id": {"O": 0, "B-PART": 1, "I-PART": 2}}
    config = transformers.CanineConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, num_hash_buckets=64, **names
    )
    folder = tmp_path / "canine"
    transformers.CanineForTokenClassification(config).save_pretrained(folder)
    transformers.CanineTokenizer().save_pretrained(folder)
    done = commands(folder)
    check_refused(without(done, "export"), "CanineTokenizer, has no fast form")
    check_refused({"export": done["export"]})  # for its architecture, where that is asked first


def test_a_folder_without_a_tokenizer_is_refused_everywhere(folder: Path, commands: Commands) -> None:
    for file in ("tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"):
        (folder / file).unlink(missing_ok=True)
    check_refused(commands(folder), "tokenizer")


def test_code_for_a_tokenizer_is_refused_everywhere_without_a_question(folder: Path, commands: Commands) -> None:
    (folder / "own.py").write_text("raise SystemExit('it ran')\n", encoding="utf-8")
    edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["own.Slow", "own.Fast"]})
    check_refused(commands(folder), "code of its own", "own.Fast", "never run")


def test_code_for_a_model_never_runs_and_never_asks(folder: Path, commands: Commands) -> None:
    (folder / "own.py").write_text("raise SystemExit('it ran')\n", encoding="utf-8")
    edit(folder / "config.json", model_type="own", auto_map={"AutoConfig": "own.Config", "AutoModel": "own.Model"})
    check_refused(without(commands(folder), "inspect"))


def test_training_on_an_encoder_with_code_leaves_the_code_out(folder: Path, commands: Commands, tmp_path: Path) -> None:
    edit(folder / "config.json", auto_map={"AutoModelForTokenClassification": "own.Model"})
    done = commands(folder)
    assert done["train"].exit_code == 0, done["train"].output
    assert "auto_map" not in (tmp_path / "trained" / "config.json").read_text(encoding="utf-8")
    check_refused({name: done[name] for name in ("evaluate", "export")}, "own.Model")


def test_weights_that_would_be_left_out_are_refused(folder: Path, commands: Commands) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    save_file(load_file(file) | {"crf._constraint_mask": torch.ones(5, 5)}, file, metadata={"format": "pt"})
    done = commands(folder)
    check_refused({name: done[name] for name in ("evaluate", "export")}, "would leave out: crf._constraint_mask")
    assert done["train"].exit_code == 0, done["train"].output  # a new head is trained, and judged as it is


def test_layers_that_would_be_left_out_are_refused_in_training_too(folder: Path, commands: Commands) -> None:
    edit(folder / "config.json", num_hidden_layers=1)
    check_refused(without(commands(folder), "inspect"), "would leave out", "encoder.layer.1.")


def test_a_vocabulary_alone_is_enough_everywhere(folder: Path, commands: Commands) -> None:
    words = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    for file in ("tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"):
        (folder / file).unlink(missing_ok=True)
    (folder / "vocab.txt").write_text("\n".join(sorted(words, key=words.__getitem__)) + "\n", encoding="utf-8")
    for name, done in commands(folder).items():
        assert done.exit_code == 0, (name, done.output)


def test_a_vocabulary_with_merges_is_enough_everywhere(
    make_model: Callable[[str], Path], commands: Commands, tmp_path: Path
) -> None:
    folder = shutil.copytree(make_model("roberta"), tmp_path / "checkpoint")
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    for file in ("tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"):
        (folder / file).unlink(missing_ok=True)
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(map(" ".join, model["merges"])) + "\n", encoding="utf-8")
    for name, done in commands(folder).items():
        assert done.exit_code == 0, (name, done.output)


def test_a_sentencepiece_model_without_its_reader_names_the_reader(folder: Path, commands: Commands) -> None:
    for file in ("tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"):
        (folder / file).unlink(missing_ok=True)
    (folder / "sentencepiece.bpe.model").write_bytes(b"\x0a\x0e")
    edit(folder / "tokenizer_config.json", tokenizer_class="XLMRobertaTokenizer")
    check_refused(commands(folder), "pip install sentencepiece")


def test_a_tokenizer_that_drops_what_it_does_not_know_is_refused(folder: Path, commands: Commands) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE({"[PAD]": 0, "x": 1, "y": 2}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]").save_pretrained(folder)
    check_refused(without(commands(folder), "inspect"), "no subword at all")


@pytest.mark.parametrize("config", ["Data2VecTextConfig", "RobertaPreLayerNormConfig"])
def test_windows_are_no_longer_than_positions_that_begin_behind_the_padding(
    config: str, make_model: Callable[[str], Path], commands: Commands, tmp_path: Path
) -> None:
    import transformers

    roberta = make_model("roberta")
    settings = transformers.AutoConfig.from_pretrained(roberta).to_dict()
    for name in ("model_type", "architectures", "dtype"):
        settings.pop(name, None)
    made = getattr(transformers, config)(**settings)
    folder = shutil.copytree(roberta, tmp_path / "checkpoint")
    transformers.AutoModelForTokenClassification.from_config(made).save_pretrained(folder)
    assert open_checkpoint(folder).max_length == 64
    done = commands(folder)["export"]
    assert done.exit_code == 0, done.output
    with TokenClassifier.load(tmp_path / "bundle") as classifier:
        classifier.predict("pump " * 500)


def test_an_adapter_is_evaluated_and_exported_with_its_base(folder: Path, commands: Commands, tmp_path: Path) -> None:
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import AutoModelForTokenClassification

    adapter = tmp_path / "adapter"
    model = AutoModelForTokenClassification.from_pretrained(folder)
    get_peft_model(model, LoraConfig(task_type=TaskType.TOKEN_CLS, r=2)).save_pretrained(adapter)
    done = commands(adapter)
    for name in ("inspect", "evaluate", "export"):
        assert done[name].exit_code == 0, (name, done[name].output)
    check_refused({"train": done["train"]}, "is an adapter", f"Name its base: {folder}")
    provenance = json.loads((tmp_path / "bundle" / "manifest.json").read_text(encoding="utf-8"))["provenance"]
    assert "adapter_model.safetensors" in provenance["checkpoint"]
    assert "model.safetensors" in provenance["base_checkpoint"]
    shutil.move(folder, tmp_path / "moved")
    check_refused(commands(adapter), f"its base model '{folder}' is not a model folder")
