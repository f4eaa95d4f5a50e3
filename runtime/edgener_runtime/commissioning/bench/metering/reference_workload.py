"""The reference workload: a fixed computation that shows the machine's current speed."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
from numpy.typing import NDArray

_PIECES, _UNTIMED = 15, 2  # of about 2 ms each on a server core of 2023
_RANK = 3  # of the sorted pieces: the lower quartile
_STACK, _SIDE = 96, 48  # 48 x 48: too small for OpenBLAS to use several threads
_NUMBERS = 20_000


def reference_workload_ms() -> float:
    """Milliseconds of small matrix products and a sort in one thread: the lower quartile of several repetitions.

    Repetitions that another process interrupts lie above it, and that process is counted elsewhere; a slower clock, or
    a core that is always shared, slows all of them. Comparable only for the same CPU and the same numpy.
    """
    took = [_piece() for _ in range(_UNTIMED + _PIECES)]
    return 1000 * sorted(took[_UNTIMED:])[_RANK]


def _piece() -> float:
    matrices, numbers = _material()
    start = time.perf_counter()
    product = matrices
    for _ in range(4):
        product = np.matmul(product, matrices)
    np.sort(numbers, kind="heapsort")  # compares and branches, where the products are vector instructions
    return time.perf_counter() - start


@cache
def _material() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    random = np.random.default_rng(1)
    orthogonal = np.linalg.qr(random.normal(size=(_STACK, _SIDE, _SIDE)))[0]  # whose products neither grow nor vanish
    return orthogonal.astype(np.float32), random.random(_NUMBERS)
