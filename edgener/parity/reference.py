"""The reference of the comparison: the original PyTorch model with transformers' tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from edgener.checkpoint import Checkpoint
from edgener.data.types import Sentence
from edgener.encoding import EncodedText, TextEncoder, load_tokenizer
from edgener.labels import decided
from edgener_exporters.checkpoint.load import load_reference
from edgener_exporters.graph.onnx import input_names
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.pipeline import TokenLogits
from edgener_runtime.text.windows import Window

from .measures.tagging import Answers, answer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TEXTS_AT_ONCE = 256
_WINDOWS_AT_ONCE = {"cpu": 16, "cuda": 128}
_DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


class PyTorchModel:
    """A token-classification model with its text encoder, without dropout, in the precision of its weights.

    `undecided`: its predictions must show whether its labels are in IOB1 or IOB2 (see `reference_answers`).
    """

    def __init__(self, model: Any, encoder: TextEncoder, label_set: LabelSet, undecided: bool = False) -> None:
        self.label_set = label_set
        self.undecided = undecided
        self._model = model.eval()
        self._encoder = encoder
        self._inputs = input_names(model)
        self._windows_at_once = _WINDOWS_AT_ONCE["cpu"]

    @classmethod
    def open(cls, checkpoint: Checkpoint, attention: str | None = "eager") -> Self:
        """A checkpoint in FP32 on the CPU with an attention implementation of transformers.

        Raises UserInputError where its weights cannot be loaded.
        """
        model = load_reference(checkpoint.path, attention)
        tokenizer = load_tokenizer(str(checkpoint.path))
        token_types = "token_type_ids" in input_names(model)
        encoder = TextEncoder(tokenizer, checkpoint.max_length, checkpoint.stride, checkpoint.case_channel, token_types)
        return cls(model, encoder, checkpoint.label_set, checkpoint.undecided)

    def run_on(self, device: str, precision: str = "fp32", compiled: bool = False) -> None:
        """Move the weights to `device` in fp32, fp16 or bf16, and compile the model for batches of any size if asked.

        Logits come back in FP32. It is what PyTorch is timed as; parity is measured on the CPU in FP32.
        """
        import torch

        # cuDNN's attention makes a plan for each new shape of a batch; the others are faster here
        torch.backends.cuda.enable_cudnn_sdp(False)
        self._model = self._model.to(device, getattr(torch, _DTYPES[precision]))
        self._windows_at_once = _WINDOWS_AT_ONCE[device]
        if compiled:
            self._model = torch.compile(self._model, dynamic=True)

    def __enter__(self) -> PyTorchModel:
        return self

    def __exit__(self, *exception: object) -> None:
        self._model = None

    def logits(self, texts: Iterable[str]) -> Iterator[TokenLogits]:
        """The logits of each text's subwords, in order; long texts are merged from windows."""
        remaining = iter(texts)
        while chunk := list(islice(remaining, _TEXTS_AT_ONCE)):
            yield from self._run_chunk(self._encoder.encode(chunk))

    @property
    def width(self) -> int:
        """The number of values per subword that `run` gives."""
        return len(self.label_set.names)

    @property
    def unknown_id(self) -> int | None:
        """The id of the unknown subword."""
        unknown: int | None = self._encoder.tokenizer.unk_token_id
        return unknown

    def inputs(self, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        """The model's inputs of the first window of each text, right-padded."""
        windows = [next(self._encoder.windows(text))[1] for text in self._encoder.encode(texts)]
        return self._padded(windows)

    def run(self, inputs: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """The model's logits (rows, subwords, labels) for its own inputs, each (rows, subwords)."""
        logits: NDArray[np.float32] = self._forward(inputs).logits.float().cpu().numpy()
        return logits

    def _forward(self, inputs: dict[str, NDArray[np.int64]], **options: Any) -> Any:
        import torch

        with torch.no_grad():
            tensors = {name: torch.from_numpy(array).to(self._model.device) for name, array in inputs.items()}
            return self._model(**tensors, **options)

    def _run_chunk(self, encoded: list[EncodedText]) -> list[TokenLogits]:
        import numpy as np

        scored = [
            TokenLogits(
                np.array(text.ids, dtype=np.int64),
                np.array(text.offsets, dtype=np.int64).reshape(-1, 2),
                np.empty((len(text.ids), self.width), dtype=np.float32),
            )
            for text in encoded
        ]
        rows = [(i, *parts) for i, text in enumerate(encoded) for parts in self._encoder.windows(text)]
        rows.sort(key=lambda row: row[1].end - row[1].start)
        prefix = len(self._encoder.prefix)
        for at in range(0, len(rows), self._windows_at_once):
            batch = rows[at : at + self._windows_at_once]
            for (number, window, _), logits in zip(batch, self._run(batch), strict=True):
                shift = prefix - window.start
                scored[number].logits[window.keep_start : window.keep_end] = logits[
                    window.keep_start + shift : window.keep_end + shift
                ]
        return scored

    def _run(self, batch: list[tuple[int, Window, dict[str, list[int]]]]) -> NDArray[np.float32]:
        return self.run(self._padded([inputs for _, _, inputs in batch]))

    def _padded(self, windows: list[dict[str, list[int]]]) -> dict[str, NDArray[np.int64]]:
        """Rows of equal length, padded on the right as the runtime does, also where the tokenizer names no padding."""
        import numpy as np

        longest = max(len(window["input_ids"]) for window in windows)
        fill = {"input_ids": self._encoder.tokenizer.pad_token_id or 0}
        return {
            name: np.array(
                [row[name] + [fill.get(name, 0)] * (longest - len(row[name])) for row in windows], dtype=np.int64
            )
            for name in self._inputs
        }


def reference_answers(
    model: PyTorchModel, sentences: Sequence[Sentence], step: Callable[[], None] = lambda: None
) -> Answers:
    """PyTorch's answers; where its labels leave two schemes open, they are in the one that its predictions show."""
    answers = answer(model, sentences, step)
    return replace(answers, label_set=decided(answers.label_set, answers.tags)) if model.undecided else answers
