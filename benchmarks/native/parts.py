"""The parts of the benchmark: what each measures, and in which jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgener.data.calibration import representative
from edgener.data.types import Dataset
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.errors import DeviceError, UserInputError
from edgener_runtime.text.tokenize import TextTokenizer

from .avx2 import restricted
from .base import LAYERS, base_bundle
from .faithful import faithfulness
from .leads import BASE, OURS
from .process import measured
from .texts import of_lengths
from .worker import Job

INT8, FP32 = (OURS, BASE, "int8-rowwise"), "fp32"
CORES = (1, 2)


@dataclass(frozen=True)
class Size:
    """How much is measured: seconds of rounds per job, lengths in subwords, and numbers of texts."""

    seconds: float = 60
    grid_seconds: float = 30
    lengths: tuple[int, ...] = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
    texts: int | None = None
    lengths_of_base: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512)
    texts_of_base: int = 240
    layers_of_base: int = LAYERS
    soak: int = 50_000


QUICK = Size(0.2, 0.2, (8, 32), 30, (8, 32), 6, 1, 100)  # for tests: whether all of it runs


@dataclass(frozen=True)
class Subject:
    """What is measured: a bundle, the checkpoint that it was made from if it is known, and the data with their name."""

    bundle: Path
    checkpoint: Path | None
    data: str
    dataset: Dataset
    cache: Path
    size: Size

    @property
    def texts(self) -> tuple[str, ...]:
        """The sentences with text, or some of all lengths, in their order."""
        some = [sentence for sentence in self.dataset.sentences if sentence.text.strip()]
        chosen = representative(some, self.size.texts) if self.size.texts else some
        return tuple(sentence.text for sentence in chosen)


def speed(subject: Subject) -> dict[str, Any]:
    """Sentences of the data, on one core and on two."""
    job = Job("speed", str(subject.bundle), 1, (*INT8, FP32), subject.texts, seconds=subject.size.seconds)
    return _on_cores(job)


def lengths(subject: Subject) -> dict[str, Any]:
    """A text alone of each length, on one core and on two."""
    return _on_cores(_grid(subject, subject.bundle, subject.size.lengths))


def memory(subject: Subject) -> dict[str, Any]:
    """Of a process with one variant, on one core and on two."""
    some = tuple(sentence.text for sentence in representative(subject.dataset.sentences, 500))
    jobs = {name: Job("memory", str(subject.bundle), 1, (name,), some) for name in (*INT8, FP32)}
    return {str(cores): {name: measured(replace(job, cores=cores)) for name, job in jobs.items()} for cores in CORES}


def avx2(subject: Subject) -> dict[str, Any]:
    """Sentences and lengths where onnxruntime and the operators have no AVX-512, or why it cannot be measured."""
    size = subject.size
    with TemporaryDirectory(dir=subject.cache) as name:
        try:
            sets = restricted(Path(name))
        except DeviceError as error:
            return {"not_measured": error.message}
        job = Job("speed", str(subject.bundle), 1, INT8, subject.texts, seconds=size.seconds / 2)
        copies = [Path(name)]
        return {
            "instruction_sets": sets,
            "speed": _on_cores(job, copies),
            "lengths": {"1": measured(_grid(subject, subject.bundle, size.lengths), copies)},
        }


def base(subject: Subject) -> dict[str, Any]:
    """Sentences and lengths with a model of the size of BERT-base."""
    size = subject.size
    bundle = base_bundle(subject.bundle, subject.cache, INT8, subject.texts, size.layers_of_base)
    some = tuple(sentence.text for sentence in representative(subject.dataset.sentences, size.texts_of_base))
    job = Job("speed", str(bundle), 1, INT8, some, seconds=size.seconds / 2)
    return {"speed": _on_cores(job), "lengths": _on_cores(_grid(subject, bundle, size.lengths_of_base))}


def faithful(subject: Subject) -> dict[str, Any]:
    """Churn, F1 and batch effect against PyTorch, and whether all arrangements of the texts give the same bits.

    By the name of the data, so that several runs with other data add up. Raises UserInputError without a checkpoint.
    """
    if subject.checkpoint is None:
        raise UserInputError("faithfulness is measured against PyTorch", "Name the checkpoint: --checkpoint FOLDER")
    job = Job("bits", str(subject.bundle), 1, INT8, subject.texts)
    digests = _on_cores(job)
    found = faithfulness(subject.checkpoint, subject.bundle, _some(subject), INT8)
    for name, figures in found.items():
        figures["digests"] = {cores: each[name] for cores, each in digests.items()}
    return {subject.data: found}


def soak(subject: Subject) -> dict[str, Any]:
    """Many texts, alone and together, with int8-native."""
    cores = CORES[-1]
    return measured(Job("soak", str(subject.bundle), cores, (OURS,), subject.texts, count=subject.size.soak))


PARTS: dict[str, Callable[[Subject], dict[str, Any]]] = {
    part.__name__: part for part in (speed, lengths, memory, avx2, base, faithful, soak)
}


def _on_cores(job: Job, first: Sequence[Path] = ()) -> dict[str, Any]:
    return {str(cores): measured(replace(job, cores=cores), first) for cores in CORES}


def _grid(subject: Subject, bundle: Path, lengths: Sequence[int]) -> Job:
    settings = read_manifest(bundle).tokenizer
    tokenizer = TextTokenizer(bundle / settings.file, settings)
    around = len(tokenizer.prefix) + len(tokenizer.suffix)
    made = of_lengths(subject.texts, tokenizer.count, around, lengths)
    return Job("lengths", str(bundle), 1, INT8, lengths=made, seconds=subject.size.grid_seconds)


def _some(subject: Subject) -> Dataset:
    """The data with as many sentences as are measured."""
    if not subject.size.texts:
        return subject.dataset
    return replace(subject.dataset, sentences=tuple(representative(subject.dataset.sentences, subject.size.texts)))
