"""The distance of logits: a share of their size, and the same whatever adds it up."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from edgener_exporters.distance import relative_distance

KERNELS = ("Nehalem", "Haswell")
NORMS = """
import numpy as np
from edgener_exporters.distance import relative_distance
random = np.random.default_rng(0)
logits = [random.standard_normal((size, 9)).astype(np.float32) for size in (7, 300, 5000)]
plain = [float(np.linalg.norm(array - array[::-1])).hex() for array in logits]
print(*plain, *(relative_distance(array, array[::-1]) for array in logits), sep=chr(10))
"""


def test_it_is_the_norm_of_the_difference_over_that_of_what_was_expected() -> None:
    assert relative_distance(np.array([[3.0, 4.0]]), np.array([[0.0, 5.0]])) == pytest.approx(10**0.5 / 5, rel=1e-6)
    assert relative_distance(np.ones(2), np.ones(2)) == 0
    assert relative_distance(np.array([3.0, 4.0]), np.zeros(2)) == 5


def test_it_has_six_digits() -> None:
    assert relative_distance(np.array([1.0]), np.array([3.0])) == 0.666667
    assert relative_distance(np.array([3.0 + 1e-6]), np.array([3.0])) == 3.33333e-07


def norms(kernel: str) -> list[str]:
    """Plain norms of arrays, then the distances, as one of OpenBLAS' kernels has them."""
    environment = os.environ | {"OPENBLAS_CORETYPE": kernel}
    done = subprocess.run([sys.executable, "-c", NORMS], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_two_kernels_of_blas_give_the_same_figures() -> None:
    one, other = (norms(kernel) for kernel in KERNELS)
    if one[:3] == other[:3]:
        pytest.skip(f"numpy's BLAS has no two kernels here that differ: {', '.join(KERNELS)}")
    assert one[3:] == other[3:]
