"""Checkpoints without training: a BERT that gives each subword the label written down for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_SURE = 4.0


def lookup_checkpoint(folder: Path, labels: Sequence[str], said: Mapping[str, str], **config: Any) -> Path:
    """A checkpoint with these labels in which subwords have those of `said`, and all others the first label.

    `config` replaces entries of its config.json, which None removes.
    """
    import torch
    import transformers
    from tokenizers import BertWordPieceTokenizer
    from tokenizers.processors import BertProcessing

    vocabulary = {piece: number for number, piece in enumerate([*_SPECIAL, *said])}
    settings = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, id2label=dict(enumerate(labels)),
        label2id={name: number for number, name in enumerate(labels)},
    )  # fmt: skip
    model = transformers.BertForTokenClassification(settings).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():  # hardly anything but the subword itself counts
            parameter.copy_(1e-3 * torch.randn_like(parameter) + float(name.endswith("LayerNorm.weight")))
        for piece, number in vocabulary.items():
            model.bert.embeddings.word_embeddings.weight[number, labels.index(said.get(piece, labels[0]))] = 1
        model.classifier.weight[:, : len(labels)] = _SURE * torch.eye(len(labels))
    model.save_pretrained(folder)
    backend = BertWordPieceTokenizer(vocabulary, lowercase=True)._tokenizer
    backend.post_processor = BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]",
        mask_token="[MASK]",
    ).save_pretrained(folder)  # fmt: skip
    if config:
        edit_config(folder, **config)
    return folder


def edit_config(folder: Path, **changes: Any) -> Path:
    """The checkpoint with other entries in its config.json, which None removes."""
    file = folder / "config.json"
    known = json.loads(file.read_text(encoding="utf-8")) | changes
    file.write_text(json.dumps({key: value for key, value in known.items() if value is not None}), encoding="utf-8")
    return folder
