"""What a user writes around a bare model: tokenizers, argmax, a loop over the subwords."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from protocol import Found, load_case_classes
from tokenizers import Encoding, Tokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Input ids, attention mask and token types, each int64 (texts, subwords), to logits (texts, subwords, labels).
Run = Callable[["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64]"], "NDArray[np.float32]"]


class PlainLoop:
    """Text in, entities out around `run`; `folder` is the checkpoint that the model came from.

    So many `streams` of batches run at once: several threads call `run` then.
    """

    def __init__(self, folder: Path, run: Run, streams: int = 1) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._labels = [config["id2label"][str(number)] for number in range(len(config["id2label"]))]
        self._longest = config["max_position_embeddings"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._case_classes = load_case_classes()
        self._run = run
        self._map = ThreadPoolExecutor(streams).map if streams > 1 else map

    def predict(self, text: str) -> list[Found]:
        """The entities of one text."""
        return self._together([text], [self._tokenizer.encode(text)])[0]

    def predict_batch(self, texts: Sequence[str], batch: int) -> list[list[Found]]:
        """The entities of each text, in the texts' order; texts of like length run together, padded to the longest."""
        encodings = self._tokenizer.encode_batch(list(texts))
        order = sorted(range(len(texts)), key=lambda index: len(encodings[index].ids))
        batches = [order[at : at + batch] for at in range(0, len(order), batch)]
        answers = self._map(
            self._together,
            ([texts[index] for index in some] for some in batches),
            ([encodings[index] for index in some] for some in batches),
        )
        found: list[list[Found]] = [[] for _ in texts]
        for index, entities in zip(order, chain.from_iterable(answers), strict=True):
            found[index] = entities
        return found

    def _together(self, texts: Sequence[str], encodings: Sequence[Encoding]) -> list[list[Found]]:
        longest = max(len(encoding.ids) for encoding in encodings)
        if longest > self._longest:
            raise ValueError(f"a text has {longest} subwords, the model takes {self._longest}")
        ids, mask, types = np.zeros((3, len(texts), longest), dtype=np.int64)
        for row, (text, encoding) in enumerate(zip(texts, encodings, strict=True)):
            length = len(encoding.ids)
            ids[row, :length], mask[row, :length] = encoding.ids, 1
            types[row, 1 : length - 1] = self._case_classes(text, [start for start, _ in encoding.offsets[1:-1]])
        best = self._run(ids, mask, types).argmax(axis=-1).tolist()
        return [list(self._entities(e, row)) for e, row in zip(encodings, best, strict=True)]

    def _entities(self, encoding: Encoding, best: Sequence[int]) -> Iterator[Found]:
        """Words by their first subword, grouped as transformers' pipeline does: a B- or another label begins anew."""
        label, start, end = "", 0, 0
        for token, offsets, number in list(zip(encoding.tokens, encoding.offsets, best, strict=False))[1:-1]:
            if token.startswith("##"):
                end = offsets[1] if label else end
                continue
            prefix, _, name = self._labels[number].partition("-")
            if label and (prefix == "B" or name != label):
                yield label, start, end
                label = ""
            if name:
                start = start if label else offsets[0]
                label, end = name, offsets[1]
        if label:
            yield label, start, end
