"""Make the bundle and the golden answers that the runtime's own test suite runs on.

    .venv/bin/python tools/make_test_bundle.py

writes runtime/tests/bundle (fp32 and int8-dynamic) and runtime/tests/golden.jsonl. A BERT of 2 layers and 32 dimensions
with random weights and a WordPiece vocabulary of its own is fine-tuned on the built-in factory set by
`edgener.train`, with the case channel, and exported by `edgener.pipeline`. It takes 64 subwords, so that ordinary
texts need windows. Run twice on one machine, it writes the same bytes; another machine's arithmetic trains slightly
other weights, so the committed files go together: never replace one alone.

Each line of golden.jsonl holds a text, its entities as [label, start, end, score] by aggregation, and who said so:
`transformers`, its own token-classification pipeline on the PyTorch checkpoint (the case channel is added to the
inputs, all else is theirs), or, where a text does not fit one window, `runtime`, our FP32 variant as it was then.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    TokenClassificationPipeline,
)

from edgener.bundle.build import write_manifest
from edgener.data.factory import factory_splits
from edgener.data.types import Dataset
from edgener.parity.budgets import Budget
from edgener.pipeline import ExportSpec, export_bundle
from edgener.train.config import TrainConfig
from edgener.train.run import train
from edgener_exporters.variants import select_variants
from edgener_runtime import TokenClassifier
from edgener_runtime.base.files import write_atomic
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.decoding.entity import AGGREGATIONS, Decoding
from edgener_runtime.text.casing import case_classes

TESTS = Path(__file__).resolve().parents[1] / "runtime" / "tests"
ENCODER, CHECKPOINT = "tiny-bert", "tiny-factory"
WORDS, ENDINGS = 200, 50
MAX_LENGTH = 64
EPOCHS = 24
MAX_F1_DROP = 0.02  # so small a model loses more to INT8 than a real one
SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}

OTHER_TEXTS = (
    "P-101 的轴承过热,已更换 shaft seal。3号泵泄漏 12 bar",
    "給水ポンプ P-101 で油漏れ。bearing noise を確認、軸受 replaced",
    "⚠️ Feed pump P-101 overheating 🔥🔥 at 95 °C, reset 👩🏽‍🔧 ok",
    "Ve\u0301rin hydraulique HX-7: joint use\u0301, REPLACED v-belt",
    "Café press K12 naïve façade — Größe 12 mm, gasket worn",
    "המשאבה P-101: oil leak, shaft seal replaced היום",
    "المضخة P-101 تسرب oil leak في hall 3",
    "ＦＥＥＤ ＰＵＭＰ Ｐ－１０１ ｏｉｌ ｌｅａｋ",
    "boiler\u200b house\u00a0pump\u2028low\tpressure\r\nreset\x00mixer",
    "MIXER seized!!! pump-101/pump-102 -- (gearbox) [motor] 'fuse' \"brake\"",
    "x" * 120 + " oil leak",
    "İstanbul ǅ ﬁlter ẞ conveyor",
    "reset [SEP] pump [MASK] oil leak [UNK] [CLS] [PAD]",
    "",
    "   ",
    "\n\t",
    "🔥",
    "泵",
)


def main() -> None:
    """Train, export and write down what the model says."""
    torch.set_num_threads(1)
    splits = factory_splits()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # relative names: no path gets written down
        make_encoder(Path(ENCODER), splits["train"])
        settings = TrainConfig(
            ENCODER, EPOCHS, learning_rate=4e-3, dropout=0.0, case_channel=True, device="cpu", precision="fp32"
        )
        click.echo(f"entity F1 {train(splits, settings, Path(CHECKPOINT)).after.micro.f1:.3f}")
        spec = ExportSpec(
            select_variants("int8-dynamic,fp32"),
            splits["test"],
            (Budget("f1_drop", MAX_F1_DROP),),
            arguments=("--max-f1-drop", str(MAX_F1_DROP)),
        )
        export_bundle(Path(CHECKPOINT), TESTS / "bundle", spec)
        forget_commit(TESTS / "bundle")
        write_atomic(TESTS / "golden.jsonl", "".join(golden_lines(Path(CHECKPOINT), texts(splits["test"]))))


def make_encoder(folder: Path, data: Dataset) -> None:
    """A BERT with random weights and a vocabulary learned from the data and OTHER_TEXTS."""
    known = OTHER_TEXTS[:6]  # the others have characters that are not in the vocabulary
    tokenizer = build_tokenizer([*(sentence.text for sentence in data.sentences), *known])
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=MAX_LENGTH,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    tokens = {f"{name}_token": token for name, token in SPECIAL.items()}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **tokens).save_pretrained(folder)


def build_tokenizer(sentences: Sequence[str]) -> Tokenizer:
    """BERT's uncased WordPiece over a small vocabulary."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=SPECIAL["unk"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    plain = [tokenizer.normalizer.normalize_str(sentence) for sentence in sentences]
    words = Counter(word for text in plain for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))
    tokens = vocabulary(words)
    tokenizer.model = models.WordPiece({token: index for index, token in enumerate(tokens)}, unk_token=SPECIAL["unk"])
    ends = [(SPECIAL[name], tokens.index(SPECIAL[name])) for name in ("sep", "cls")]
    tokenizer.post_processor = processors.BertProcessing(*ends)
    return tokenizer


def vocabulary(words: Counter[str]) -> list[str]:
    """Special tokens, every character, the commonest words and endings.

    Counted here, because the WordPiece trainer of the tokenizers library orders its vocabulary differently each run.
    """
    endings = Counter[str]()
    for word, count in words.items():
        endings.update({f"##{word[-length:]}": count for length in (2, 3, 4) if length < len(word)})
    characters = sorted(set("".join(words)))
    frequent = [*commonest(words, WORDS), *commonest(endings, ENDINGS)]
    return list(dict.fromkeys([*SPECIAL.values(), *characters, *(f"##{sign}" for sign in characters), *frequent]))


def commonest(counts: Counter[str], size: int) -> list[str]:
    """The most frequent, equal ones in the order of the alphabet."""
    return sorted(counts, key=lambda token: (-counts[token], token))[:size]


def forget_commit(bundle: Path) -> None:
    """The test bundle belongs to no commit: it must not change with each one."""
    manifest = read_manifest(bundle)
    origin = {**manifest.provenance, "edgener_commit": None}
    write_manifest(dataclasses.replace(manifest, provenance=origin), bundle)


def texts(data: Dataset) -> Iterator[str]:
    """Sentences of the factory, alone and in a row over several windows, and texts from elsewhere."""
    sentences = [sentence.text for sentence in data.sentences]
    yield from sentences[:12]
    yield from (" ".join(sentences[12:end]) for end in (16, 23))
    yield "。".join(sentences[30:36])
    yield "泵过热" * 25
    yield from OTHER_TEXTS


def golden_lines(checkpoint: Path, chosen: Iterator[str]) -> Iterator[str]:
    """A JSON line per text: the text, the origin of the answer, and the entities by aggregation."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForTokenClassification.from_pretrained(checkpoint)
    theirs = CasePipeline(model=model, tokenizer=tokenizer, device="cpu")
    with TokenClassifier.load(TESTS / "bundle", "cpu", "fp32") as ours:
        for text in chosen:
            fits = len(tokenizer(text, truncation=False, verbose=False)["input_ids"]) <= MAX_LENGTH
            entities = {
                aggregation: ask_transformers(theirs, text, aggregation)
                if fits
                else [rounded(*dataclasses.astuple(entity)[:4]) for entity in ours.predict(text, Decoding(aggregation))]
                for aggregation in AGGREGATIONS
            }
            record = {"text": text, "source": "transformers" if fits else "runtime", "entities": entities}
            yield json.dumps(record, ensure_ascii=False) + "\n"


class CasePipeline(TokenClassificationPipeline):  # type: ignore[misc]
    """transformers' pipeline with the case channel added to the model's inputs."""

    def preprocess(self, sentence: str, **settings: Any) -> Iterator[dict[str, Any]]:
        """Their inputs, with the case class of each subword's word in token_type_ids."""
        for inputs in super().preprocess(sentence, **settings):
            classes = case_classes(sentence, inputs["offset_mapping"][0, :, 0].tolist())
            inputs["token_type_ids"] = torch.tensor([classes]) * (1 - inputs["special_tokens_mask"])
            yield inputs


def ask_transformers(pipeline: TokenClassificationPipeline, text: str, aggregation: str) -> list[list[Any]]:
    """The entities of a text as transformers' pipeline gives them."""
    label = "entity" if aggregation == "none" else "entity_group"
    return [
        rounded(found[label], found["start"], found["end"], found["score"])
        for found in pipeline(text, aggregation_strategy=aggregation)
    ]


def rounded(label: str, start: int, end: int, score: float) -> list[Any]:
    """An entity with as many digits as a comparison to 1e-4 needs."""
    return [label, start, end, round(float(score), 5)]


if __name__ == "__main__":
    main()
