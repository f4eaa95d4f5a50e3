"""A small model of every architecture of the table: its configuration, and how one is taught a task in a second."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from edgener.data.types import Dataset, Sentence, Span

LABELS = ("O", "B-PART", "I-PART", "B-FAULT", "I-FAULT")
PARTS = ("pump", "valve", "seal", "motor", "bearing", "shaft", "filter", "hose", "gauge", "rotor")
OTHERS = ("the", "of", "at", "near", "was", "is", "today", "hot", "old", "again", "behind", "checked", "and", "new")

BERT: dict[str, Any] = {
    "vocab_size": 120, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
    "max_position_embeddings": 140,
}  # fmt: skip
_ROBERTA = BERT | {"type_vocab_size": 1, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
_NARROW = BERT | {"embedding_size": 16}  # embeddings that a product widens
_DEBERTA = BERT | {
    "relative_attention": True, "max_relative_positions": -1, "pos_att_type": ["c2p", "p2c"],
    "position_biased_input": False, "type_vocab_size": 0,
}  # fmt: skip
# Configuration class of transformers and its settings: the layout of the published models, only small.
ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertConfig", BERT),
    "distilbert": (
        "DistilBertConfig",
        {"vocab_size": 120, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 140},
    ),
    "roberta": ("RobertaConfig", _ROBERTA),
    "xlm-roberta": ("XLMRobertaConfig", _ROBERTA),
    "camembert": ("CamembertConfig", _ROBERTA),
    "electra": ("ElectraConfig", _NARROW),
    "albert": ("AlbertConfig", _NARROW),
    "mpnet": ("MPNetConfig", BERT | {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}),
    "deberta-v2": (
        "DebertaV2Config",
        _DEBERTA | {"position_buckets": 16, "norm_rel_ebd": "layer_norm", "share_att_key": True},
    ),
    "modernbert": (
        "ModernBertConfig",
        BERT | {
            "num_hidden_layers": 4, "global_attn_every_n_layers": 3, "local_attention": 16, "pad_token_id": 0,
            "bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3,
        },
    ),
    "mobilebert": ("MobileBertConfig", _NARROW | {"intra_bottleneck_size": 16, "num_feedforward_networks": 2}),
    "deberta": ("DebertaConfig", _DEBERTA),
    "ernie": ("ErnieConfig", BERT),
    "convbert": ("ConvBertConfig", _NARROW),
    "rembert": ("RemBertConfig", BERT | {"input_embedding_size": 16, "output_embedding_size": 24}),
    "roformer": ("RoFormerConfig", BERT),
    "megatron-bert": ("MegatronBertConfig", BERT),
    "data2vec-text": ("Data2VecTextConfig", _ROBERTA),
    "roberta-prelayernorm": ("RobertaPreLayerNormConfig", _ROBERTA),
    "big_bird": ("BigBirdConfig", BERT | {"attention_type": "original_full"}),
    "squeezebert": ("SqueezeBertConfig", BERT | {"embedding_size": 32}),
}  # fmt: skip


def random_model(architecture: str, noise: float = 0.2, seed: int = 0, **settings: Any) -> Any:
    """A small model with random weights, biases and norms; settings of its configuration can be overridden.

    A fresh model answers nearly the same to everything, which is too weak a test.
    """
    import torch
    import transformers

    name, defaults = ENCODERS[architecture]
    labels = {"id2label": dict(enumerate(LABELS)), "label2id": {label: i for i, label in enumerate(LABELS)}}
    config = getattr(transformers, name)(**(defaults | labels | settings))
    torch.manual_seed(seed)
    model = transformers.AutoModelForTokenClassification.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += noise * torch.randn_like(parameter)
    return model.eval()


def sentences(lengths: Iterable[int], seed: int) -> tuple[Sentence, ...]:
    """Random sentences of so many words, in which every part of a machine is an entity."""
    draw = random.Random(seed)
    return tuple(_sentence([draw.choice(PARTS if draw.random() < 0.4 else OTHERS) for _ in range(n)]) for n in lengths)


def _sentence(words: Sequence[str]) -> Sentence:
    starts = [sum(len(word) + 1 for word in words[:i]) for i in range(len(words))]
    offsets = tuple((start, start + len(word)) for start, word in zip(starts, words, strict=True))
    spans = tuple(Span("PART", i, i + 1) for i, word in enumerate(words) if word in PARTS)
    return Sentence(" ".join(words), offsets, spans)


def dataset(lengths: Iterable[int], seed: int = 5, split: str = "test") -> Dataset:
    """Those sentences as a split."""
    return Dataset("parts", split, sentences(lengths, seed), "jsonl")


def save_taught(architecture: str, folder: Path, **settings: Any) -> None:
    """A checkpoint that finds every entity of such sentences, with its tokenizer: some seconds of training."""
    import torch

    torch.set_num_threads(1)
    model = random_model(architecture, 0.1, **settings).train()
    tokenizer = _tokenizer()
    rows = [_labelled(sentence, tokenizer) for sentence in sentences([60] * 64, 3)]  # every position is used
    steps, batch = 60, 8
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for step in range(steps):
        some = [rows[(step * batch + i) % len(rows)] for i in range(batch)]
        ids, labels = (torch.tensor(column) for column in zip(*some, strict=True))
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> Any:
    """One subword for each word, and RoBERTa's special tokens: the padding has the id 1."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *PARTS, *OTHERS]
    model = models.WordPiece({word: index for index, word in enumerate(vocabulary)}, unk_token="<unk>")
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", cls_token="<s>", sep_token="</s>", pad_token="<pad>",
        bos_token="<s>", eos_token="</s>", mask_token="<mask>",
    )  # fmt: skip


def _labelled(sentence: Sentence, tokenizer: Any) -> tuple[list[int], list[int]]:
    encoded = tokenizer(sentence.text, return_offsets_mapping=True)
    ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
    parts = {sentence.offsets[span.start][1] for span in sentence.spans}
    return ids, [-100 if end <= start else int(end in parts) for start, end in offsets]
