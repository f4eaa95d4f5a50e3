"""Both doubles, ready to open sessions with, as fixtures to import."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgener_runtime.backends.base import Model, Tuning
from edgener_runtime.backends.open import open_session
from edgener_runtime.backends.tensorrt.session import EngineSession
from edgener_runtime.bundle.manifest import Manifest

from .doubles import VERSIONS, CudaDouble, Plan, TensorrtDouble, compile_double

REBUILD = "edgener-runtime prepare out/bundle"


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    gc.freeze()  # so that `left` looks through what these tests made, and not through all that a long run has loaded
    yield compile_double(tmp_path_factory.mktemp("double"))
    gc.unfreeze()


@pytest.fixture(scope="session")
def compute(bundle: Path, manifest: Manifest) -> Callable[[dict[str, Any]], Any]:
    """onnxruntime on the CPU, which the double's engine computes with."""
    settings = manifest.tokenizer
    model = Model(bundle, manifest.variant("fp32"), settings.inputs, settings.max_length)
    return open_session(model, "cpu", Tuning(1)).run


@dataclass
class Stage:
    """Both doubles and a plan, to open sessions with."""

    cuda: CudaDouble
    plan: Plan
    version: str = VERSIONS[0]
    trt: Any = None

    def open(self, plan: bytes = b"a plan") -> EngineSession:
        self.trt = TensorrtDouble(self.version, self.cuda, self.plan)
        return EngineSession(self.trt, self.cuda.cudart, plan, "TensorRT of the double", REBUILD)

    def left(self) -> tuple[dict[str, int], list[str], list[str]]:
        """What is still held of CUDA and of TensorRT, and what was done that may not be."""
        gc.collect()
        return self.cuda.live(), self.trt.alive, self.cuda.faults()


CLEAN: tuple[dict[str, int], list[str], list[str]] = ({}, [], [])


@pytest.fixture
def stage(library: Path, compute: Callable[[dict[str, Any]], Any]) -> Stage:
    return Stage(CudaDouble(library), Plan(compute))


def feeds_of(rows: int, subwords: int, seed: int = 1) -> dict[str, Any]:
    chance = np.random.default_rng(seed)
    mask = np.ones((rows, subwords), dtype=np.int64)
    mask[:, subwords - subwords // 4 :] = 0
    return {
        "input_ids": chance.integers(0, 100, (rows, subwords)),
        "attention_mask": mask,
        "token_type_ids": chance.integers(0, 4, (rows, subwords)),
    }
