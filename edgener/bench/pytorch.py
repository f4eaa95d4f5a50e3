"""The baseline of a benchmark: the checkpoint in PyTorch, in fresh processes like those of the variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from edgener.checkpoint import open_checkpoint, read_label_set
from edgener.labels import LabelChoice
from edgener.parity.reference import PyTorchModel
from edgener_exporters.checkpoint.adapter import base_folder
from edgener_runtime.base.files import sha256_of
from edgener_runtime.commissioning.bench.job import WorkerJob
from edgener_runtime.commissioning.bench.plan import BenchTarget
from edgener_runtime.decoding.decode import Decoder, Scored
from edgener_runtime.decoding.entity import Entity
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.inference.words import Words, labels_of
from edgener_runtime.machine.cpu import usable_cores
from edgener_runtime.pipeline import OF_WORDS


@dataclass(frozen=True)
class Mode:
    """How PyTorch runs a checkpoint: the precision of weights and arithmetic, and whether torch.compile goes first."""

    precision: str = "fp32"
    compiled: bool = False


NAME = "pytorch"
# The name of a row to what it measures. Those beside the first were not run on a GPU yet.
MODES = {
    NAME: Mode(),
    "pytorch-compile": Mode(compiled=True),
    "pytorch-fp16": Mode("fp16"),
    "pytorch-bf16": Mode("bf16"),
    "pytorch-fp16-compile": Mode("fp16", compiled=True),
}


def pytorch_targets(
    checkpoint: Path, threads: Sequence[int], device: str = "cpu", modes: Sequence[str] = (NAME,),
    label_set: LabelSet | None = None,
) -> tuple[BenchTarget, ...]:  # fmt: skip
    """The targets of a checkpoint beside its bundle's variants, with the labels of the bundle.

    Raises UserInputError if it is not a checkpoint, or not one with these labels. The model is loaded by the worker
    only: the memory and the threads of PyTorch would disturb what this process measures.
    """
    if base_folder(checkpoint) is None:  # an adapter's own labels are in its weights
        read_label_set(checkpoint, _choice(label_set))
    weights = _weights(checkpoint)
    return tuple(
        BenchTarget(
            name, device, count, count, MODES[name].precision, sha256_of(weights[0]),
            sum(file.stat().st_size for file in weights), str(checkpoint), __name__, label_set=label_set,
        )
        for name, count in product(modes, threads or (usable_cores(),))
    )  # fmt: skip


def main() -> int:
    """The worker's process: a job on stdin, events on stdout."""
    from edgener_runtime.commissioning.bench.worker import main

    return main(PyTorchSystem)


class PyTorchSystem:
    """A checkpoint in PyTorch: transformers' tokenizer, the attention that PyTorch chooses, and our decoder."""

    def __init__(self, job: WorkerJob) -> None:
        import torch

        torch.set_num_threads(job.threads or usable_cores())
        checkpoint = open_checkpoint(Path(job.model), _choice(job.label_set))
        mode = MODES[job.variant]
        self._model = PyTorchModel.open(checkpoint, attention=None)
        self._model.run_on(job.device, mode.precision, mode.compiled)
        self.label_set = checkpoint.label_set
        self._decoder = Decoder(self.label_set)
        self.provider = "PyTorch"
        self.library = f"torch {torch.__version__}"

    def answer(self, texts: Sequence[str]) -> list[list[Entity]]:
        """The entities of each text."""
        return self._decoder.entities(texts, self._scored(texts))

    def label(self, texts: Sequence[Words]) -> list[list[str]]:
        """One label per word of each text."""
        return labels_of(texts, self._scored([text.text for text in texts]), self._decoder, OF_WORDS)

    def _scored(self, texts: Sequence[str]) -> Scored:
        """Logits without word boundaries: neither entities of subwords nor labels of given words need these."""
        import numpy as np

        scored = list(self._model.logits(texts))
        return Scored(
            np.concatenate([text.logits for text in scored]),
            [(start, end) for text in scored for start, end in text.offsets.tolist()],
            lambda: [],
            [len(text.input_ids) for text in scored],
        )


def _choice(labels: LabelSet | None) -> LabelChoice | None:
    return LabelChoice(labels.names, labels.scheme, labels.outside) if labels else None


def _weights(checkpoint: Path) -> list[Path]:
    """The files of the weights, of the kind that is loaded; those of an adapter, then of its base."""
    base = base_folder(checkpoint)
    own = sorted(checkpoint.glob("*.safetensors")) or sorted(checkpoint.glob("*.bin"))
    return own + (_weights(base) if base else [])
