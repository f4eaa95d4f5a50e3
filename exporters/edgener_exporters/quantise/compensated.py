"""Rounding of weights that makes up for its own errors (Frantar et al. 2022, GPTQ).

Weights are rounded input by input. What one rounding adds to the product's output on real text, the weights of later
inputs take out again, as far as those are correlated with it. Scales stay, and nothing more is computed at run time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgener_exporters.graph.weights import LARGEST

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DAMPING = 0.01  # of the mean power of a channel, added to each: channels that hardly vary must not take any error
_BLOCK = 64  # inputs whose errors are passed on together


def compensated(
    weight: NDArray[np.float32], scales: NDArray[np.float32], moments: NDArray[np.float64]
) -> NDArray[np.int8]:
    """The weight (k, n) as multiples of its columns' scales, by the second moments (k, k) of the product's input."""
    import numpy as np

    rest, steps = weight.astype(np.float64), np.empty(weight.shape, dtype=np.int8)
    factors = _factors(moments)
    for start in range(0, len(rest), _BLOCK):
        block = range(start, min(start + _BLOCK, len(rest)))
        errors = np.zeros((len(block), rest.shape[1]))
        for row in block:
            steps[row] = np.clip(np.rint(rest[row] / scales), -LARGEST, LARGEST)
            errors[row - start] = (rest[row] - steps[row] * scales) / factors[row, row]
            rest[row + 1 : block.stop] -= np.outer(factors[row, row + 1 : block.stop], errors[row - start])
        rest[block.stop :] -= factors[start : block.stop, block.stop :].T @ errors
    return steps


def _factors(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """The upper Cholesky factor of the inverse of the damped moments."""
    import numpy as np

    power = float(np.mean(np.diag(moments)))
    damped = moments + (_DAMPING * power or 1.0) * np.eye(len(moments))
    factors: NDArray[np.float64] = np.linalg.cholesky(np.linalg.inv(damped)).T
    return factors
