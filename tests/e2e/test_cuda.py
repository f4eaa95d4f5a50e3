"""A bundle made here on a GPU of this machine, its texts alone as CUDA graphs; skipped where there is none."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgener.data.types import Dataset
from edgener_runtime import TokenClassifier
from edgener_runtime.decoding.entity import Entity
from edgener_runtime.machine.probe.cuda import cuda_driver

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(cuda_driver().why is not None, reason=f"no GPU: {cuda_driver().why}")]
SCORES = 2e-3  # FP32 on a GPU adds up in another order


@pytest.fixture(scope="module")
def texts(small_factory: dict[str, Dataset]) -> list[str]:
    return [sentence.text for sentence in small_factory["test"].sentences[:40]] + ["oil " * 300]


def assert_alike(found: list[list[Entity]], expected: list[list[Entity]]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert [(each.label, each.start, each.end) for each in ours] == [
            (each.label, each.start, each.end) for each in theirs
        ]
        assert [each.score for each in ours] == pytest.approx([each.score for each in theirs], abs=SCORES)


def test_texts_alone_run_as_graphs_from_any_thread_and_answers_are_the_cpu_s(exported: Path, texts: list[str]) -> None:
    with TokenClassifier.load(exported, "cpu", "fp32") as classifier:
        expected = [classifier.predict(text) for text in texts]
    with TokenClassifier.load(exported, "cuda", "fp32") as classifier:
        reasons = classifier.explain().reasons
        assert any(reason.startswith("CUDA graphs for texts alone") for reason in reasons), reasons
        found: dict[int, list[list[Entity]]] = {}
        threads = [
            threading.Thread(target=lambda n=n: found.update({n: [classifier.predict(text) for text in texts]}))
            for n in range(3)
        ]
        for thread in threads:
            thread.start()
        assert_alike(classifier.predict_batch(texts), expected)
        for thread in threads:
            thread.join()
    assert len(found) == 3
    for answers in found.values():
        assert_alike(answers, expected)
