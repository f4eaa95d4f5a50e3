"""transformers' pipeline("token-classification") on PyTorch, FP32 or with bfloat16 autocast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from protocol import Found, Setting, load_case_classes, serve
from transformers import AutoModelForTokenClassification, AutoTokenizer, TokenClassificationPipeline

case_classes = load_case_classes()
AUTOCAST: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "fp32": nullcontext,
    "bf16": partial(torch.autocast, "cpu", torch.bfloat16),
}


class CaseChannelPipeline(TokenClassificationPipeline):  # type: ignore[misc]
    """The pipeline with the case classes of words as token types, in which the checkpoint has them."""

    def preprocess(self, sentence: str, *arguments: Any, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The inputs as transformers makes them, then the token types."""
        for inputs in super().preprocess(sentence, *arguments, **parameters):
            starts = [start for start, _ in inputs["offset_mapping"][0].tolist()]
            classes = inputs["input_ids"].new_tensor([case_classes(sentence, starts)])
            yield inputs | {"token_type_ids": classes * (1 - inputs["special_tokens_mask"][0])}


class Pipeline:
    """The pipeline as a peer."""

    def __init__(self, pipeline: TokenClassificationPipeline, autocast: Callable[[], AbstractContextManager[Any]]):
        self._pipeline = pipeline
        self._autocast = autocast

    def predict(self, text: str) -> list[Found]:
        """The entities of one text."""
        with self._autocast():
            return _found(self._pipeline(text))

    def predict_batch(self, texts: Sequence[str], batch: int) -> list[list[Found]]:
        """The entities of each text; texts of like length run together."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        with self._autocast():
            answers = self._pipeline([texts[index] for index in order], batch_size=batch)
        found: list[list[Found]] = [[] for _ in texts]
        for index, entities in zip(order, answers, strict=True):
            found[index] = _found(entities)
        return found


def open_pipeline(model: Any, folder: str) -> TokenClassificationPipeline:
    """The pipeline around a model, with the checkpoint's tokenizer, which cuts no text short."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return CaseChannelPipeline(model=model, tokenizer=tokenizer, device="cpu", aggregation_strategy="first")


def _found(entities: Sequence[dict[str, Any]]) -> list[Found]:
    return [(entity["entity_group"], int(entity["start"]), int(entity["end"])) for entity in entities]


def load(setting: Setting) -> Pipeline:
    """The checkpoint in PyTorch."""
    torch.set_num_threads(setting.threads)
    model = AutoModelForTokenClassification.from_pretrained(setting.checkpoint).eval()
    return Pipeline(open_pipeline(model, str(setting.checkpoint)), AUTOCAST[setting.form])


if __name__ == "__main__":
    serve(load)
