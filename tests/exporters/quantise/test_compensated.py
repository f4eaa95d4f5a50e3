"""Rounding that makes up for its own errors: closer on the text it was made for, and never further than a plain one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_exporters.graph.weights import LARGEST, column_scales, quantized
from edgener_exporters.quantise.compensated import compensated

ROWS = 2000


def correlated(k: int, seed: int = 0) -> Any:
    """Rows whose channels depend on each other and differ in size, as an encoder's do."""
    chance = np.random.default_rng(seed)
    mixed = chance.standard_normal((ROWS, k)) @ chance.standard_normal((k, k)) / np.sqrt(k)
    return mixed * 10 ** chance.uniform(-1, 1, k)


def weight_of(k: int, n: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).standard_normal((k, n)).astype(np.float32)


def error(x: Any, weight: Any, steps: Any, scales: Any) -> float:
    return float(np.linalg.norm(x @ (weight - steps * scales)) / np.linalg.norm(x @ weight))


@pytest.mark.parametrize(("k", "n"), [(8, 5), (64, 16), (65, 16), (200, 33)])
def test_the_output_is_nearer_than_with_the_nearest_weights(k: int, n: int) -> None:
    x, weight = correlated(k), weight_of(k, n)
    scales = column_scales(weight)
    found = compensated(weight, scales, x.T @ x / ROWS)
    assert found.dtype == np.int8 and found.shape == weight.shape and np.abs(found.astype(int)).max() <= LARGEST
    assert error(x, weight, found, scales) < 0.9 * error(x, weight, quantized(weight, scales), scales)


@given(st.integers(0, 50))
def test_on_other_rows_of_the_kind_it_is_nearer_too(seed: int) -> None:
    rows, weight = correlated(48, seed), weight_of(48, 12, seed)
    scales = column_scales(weight)
    found = compensated(weight, scales, rows[:1000].T @ rows[:1000] / 1000)
    assert error(rows[1000:], weight, found, scales) < error(rows[1000:], weight, quantized(weight, scales), scales)


@pytest.mark.parametrize("moments", [np.zeros((20, 20)), np.diag(np.arange(20.0))])
def test_without_correlation_it_is_the_nearest_weight(moments: Any) -> None:
    """Text without any activation, and channels of which one is always 0."""
    weight = weight_of(20, 7)
    scales = column_scales(weight)
    np.testing.assert_array_equal(compensated(weight, scales, moments), quantized(weight, scales))


def test_a_dead_column_stays_zero() -> None:
    weight = weight_of(16, 4)
    weight[:, 2] = 0
    x = correlated(16)
    assert not compensated(weight, column_scales(weight), x.T @ x)[:, 2].any()
