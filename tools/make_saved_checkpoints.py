"""Small checkpoints with SentencePiece-like tokenizers as a version of transformers saves them, for tests.

    .venv-optimum/bin/python tools/make_saved_checkpoints.py new tests/saved/transformers-4
    .venv/bin/python tools/make_saved_checkpoints.py tests/saved/transformers-4 tests/saved/transformers-5

The first makes them with random weights, the second saves them again.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from edgener.data.factory import factory_splits

NAMES = ("O", "B-PART", "I-PART", "B-FAULT", "I-FAULT")
VOCABULARY = 160
ROLES = {"<s>": "cls_token", "</s>": "sep_token", "<unk>": "unk_token", "<pad>": "pad_token", "<mask>": "mask_token",
         "[CLS]": "cls_token", "[SEP]": "sep_token", "[MASK]": "mask_token"}  # fmt: skip
CASES = {  # the configuration, the tokenizer, and its special tokens in the order of their ids, the mask's last
    "xlm-roberta": ("XLMRobertaConfig", "XLMRobertaTokenizerFast", ("<s>", "<pad>", "</s>", "<unk>", "<mask>")),
    "camembert": ("CamembertConfig", "CamembertTokenizerFast", ("<s>", "<pad>", "</s>", "<unk>", "<mask>")),
    "albert": ("AlbertConfig", "AlbertTokenizerFast", ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")),
}


def make(name: str, out: Path) -> None:
    """A model with random weights that names every label now and then, and its tokenizer."""
    config_class, tokenizer_class, special = CASES[name]
    tokenizer = getattr(transformers, tokenizer_class)(
        tokenizer_object=_unigram(special), keep_accents=True, bos_token=_role(special, "cls_token"),
        eos_token=_role(special, "sep_token"), **{ROLES[token]: token for token in special},
    )  # fmt: skip
    labels = {"id2label": dict(enumerate(NAMES)), "label2id": {label: index for index, label in enumerate(NAMES)}}
    settings: dict[str, Any] = {
        "vocab_size": len(tokenizer), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 16, "embedding_size": 16, "max_position_embeddings": 42,
        "pad_token_id": special.index("<pad>"), "type_vocab_size": 1,
    }  # fmt: skip
    torch.manual_seed(0)
    config = getattr(transformers, config_class)(**settings, **labels)
    model = transformers.AutoModelForTokenClassification.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
        some = torch.randint(5, len(tokenizer), (20, 30))
        model.classifier.bias -= model(input_ids=some).logits.mean((0, 1))
    save(model, tokenizer, out / name)


def _unigram(special: tuple[str, ...]) -> Tokenizer:
    """Characters and the commonest words, with the steps that transformers 4.57 converts a SentencePiece model to."""
    texts = [sentence.text for sentence in factory_splits()["train"].sentences[:800]]
    words = Counter(word for text in texts for word in re.findall(r"\S+", text))
    characters = sorted({character for text in texts for character in text} - {" "})
    common = sorted(words, key=lambda word: (-words[word], word))
    pieces = dict.fromkeys([*special[:4], "▁", *characters])
    pieces |= dict.fromkeys(f"▁{word}" for word in common[: VOCABULARY - len(pieces)])
    scored = [(piece, -0.1 * number) for number, piece in enumerate(pieces)]
    tokenizer = Tokenizer(
        models.Unigram([*scored, (special[4], 0.0)], unk_id=special.index("<unk>"), byte_fallback=False)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Strip(left=False), normalizers.Replace(Regex(" {2,}"), "▁")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    first, last = _role(special, "cls_token"), _role(special, "sep_token")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", pair=f"{first} $A {last} $B {last}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (first, last)],
    )  # fmt: skip
    return tokenizer


def _role(special: tuple[str, ...], role: str) -> str:
    return next(token for token in special if ROLES[token] == role)


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save both."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main(source: str, out: Path) -> None:
    """Make the checkpoints, or save those of a folder again."""
    for name in CASES:
        if source == "new":
            make(name, out)
        else:
            folder = Path(source) / name
            model = transformers.AutoModelForTokenClassification.from_pretrained(folder)
            save(model, transformers.AutoTokenizer.from_pretrained(folder), out / name)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
