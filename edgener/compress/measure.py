"""Candidates in the runtime: exported to the variant that ships, timed in turns, and compared with the checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from edgener.bundle.build import draft_manifest, model_file
from edgener.bundle.tokenizer import TOKENIZER, tokenizer_settings, write_tokenizer
from edgener.checkpoint import Checkpoint, open_checkpoint
from edgener.data.types import Dataset
from edgener.parity.evaluation import DEVICE
from edgener.parity.figures import measure
from edgener.parity.measures.counts import count_sentences
from edgener.parity.measures.tagging import Answers, answer
from edgener.parity.speed import ROUNDS, measure_speed
from edgener.pipeline import build_variant
from edgener.progress import Track
from edgener_exporters.calibrate.calibration import Calibration
from edgener_exporters.graph.onnx import export_onnx
from edgener_exporters.variants import FP32, VARIANTS, Variant
from edgener_runtime.backends.base import Tuning
from edgener_runtime.bundle.manifest import Speed
from edgener_runtime.pipeline import TokenClassifier
from edgener_runtime.text.tokenize import TextTokenizer

from .result import AnswerFigures


@dataclass(frozen=True)
class MeasuredShape:
    """The bytes of a shape's file, and its speed."""

    size: int
    speed: Speed


@dataclass(frozen=True)
class MeasuredShapes:
    """Sizes and speeds by the name of the shape, measured in turns."""

    shapes: dict[str, MeasuredShape]


@dataclass(frozen=True)
class VariantRunner:
    """Exports checkpoints to a variant, in temporary folders below `folder`, and runs them."""

    variant: Variant
    valid: Dataset
    calibration: Sequence[str]
    folder: Path
    track: Track

    @contextmanager
    def classifier(self, checkpoint: Path) -> Iterator[tuple[TokenClassifier, int]]:
        """The variant of a checkpoint in the runtime, and the bytes of its file. Raises ExportError.

        An export also checks every length of a text, which takes longer than all else: the chosen candidate's will.
        """
        with TemporaryDirectory(dir=self.folder) as scratch:
            folder, opened = Path(scratch).resolve(), open_checkpoint(checkpoint)
            self._build(opened, folder)
            manifest = draft_manifest(opened, [self.variant], folder, {})
            entry = manifest.variants[0]
            with TokenClassifier(folder, manifest, entry, DEVICE, Tuning()) as classifier:
                yield classifier, entry.file.size

    def _build(self, checkpoint: Checkpoint, folder: Path) -> None:
        write_tokenizer(checkpoint, folder)
        fp32 = model_file(folder, VARIANTS[FP32])
        fp32.parent.mkdir()
        export_onnx(checkpoint.path, fp32, "torch")
        tokenizer = TextTokenizer(folder / TOKENIZER, tokenizer_settings(checkpoint, fp32))
        calibration = Calibration(self.calibration, tokenizer, "minmax", None, self.track)
        build_variant(self.variant, fp32, model_file(folder, self.variant), calibration, None)

    def time(self, checkpoints: Mapping[str, Path]) -> MeasuredShapes:
        """The size and speed of each checkpoint, timed in turns on the texts of the valid split."""
        texts = [sentence.text for sentence in self.valid.sentences if sentence.text.strip()]
        with ExitStack() as stack:
            opened = {name: stack.enter_context(self.classifier(path)) for name, path in checkpoints.items()}
            classifiers = {name: classifier for name, (classifier, _) in opened.items()}
            speeds = measure_speed(classifiers, texts, self.track("speed of candidates", ROUNDS))
        return MeasuredShapes({name: MeasuredShape(size, speeds[name]) for name, (_, size) in opened.items()})

    def judge(self, checkpoint: Path, dataset: Dataset, reference: Answers) -> AnswerFigures:
        """A checkpoint's answers to a split compared with the gold entities and with the `reference` answers."""
        import numpy as np

        sentences = dataset.sentences
        with self.classifier(checkpoint) as (classifier, _):
            found = answer(classifier, sentences, self.track("judging", len(sentences)))
        every = measure(count_sentences(sentences, reference, found, np.zeros((len(sentences), 2))), {}).overall
        return AnswerFigures(dataset.split, every.f1 or 0.0, every.f1_difference, every.churn)
