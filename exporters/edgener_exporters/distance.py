"""How far logits are from those expected, in the digits that mean something."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

DIGITS = 6  # logits are FP32, which has seven


def relative_distance(found: Floats, expected: Floats) -> float:
    """The L2 norm of the difference over that of what was expected, or over 1 where that is 0.

    BLAS adds up in another order on another CPU. The sums are in FP64 and the result has six significant digits, so
    that every order gives the same figure.
    """
    import numpy as np

    norm = float(np.linalg.norm(expected.astype(np.float64)))
    difference = float(np.linalg.norm((found - expected).astype(np.float64)))
    return float(f"{difference / (norm or 1.0):.{DIGITS}g}")
