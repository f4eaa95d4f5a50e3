"""Second moments are those of the real subwords of enough text."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from edgener_exporters.calibrate import moments
from edgener_exporters.calibrate.moments import second_moments
from edgener_exporters.calibrate.ranges import run_batches, with_outputs
from edgener_exporters.graph.roles import find_products

from ..conftest import Encoder


def rows_of(model: Any, name: str, feeds: list[dict[str, Any]]) -> Any:
    runs = zip(feeds, run_batches(with_outputs(model, [name]), feeds), strict=True)
    return np.concatenate([found[fed["attention_mask"] == 1] for fed, (_, (found,)) in runs]).astype(np.float64)


@pytest.mark.parametrize("most", [40, 10**6])
def test_padding_is_left_out_and_text_beyond_enough_too(
    most: int, cased: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "ENOUGH", most)
    model = onnx.load(cased.fp32)
    names = [product.input for product in find_products(model)[-3:]]
    feeds = list(cased.calibration.feeds())
    assert any((fed["attention_mask"] == 0).any() for fed in feeds)
    found = second_moments(model, names, iter(feeds))
    used: list[dict[str, Any]] = []
    while feeds and sum(int(fed["attention_mask"].sum()) for fed in used) < most:
        used.append(feeds.pop(0))
    for name in names:
        rows = rows_of(model, name, used)
        np.testing.assert_allclose(found[name], rows.T @ rows / len(rows), rtol=1e-6, atol=1e-9)
