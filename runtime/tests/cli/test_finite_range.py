"""Numbers of options are finite: NaN is within no bounds, and click lets it through all of them."""

from __future__ import annotations

import click
import pytest

from edgener_runtime.cli.options import FiniteRange


@pytest.mark.parametrize("value", ["nan", "-nan", "inf", "1e400"])
def test_what_is_not_finite_is_refused(value: str) -> None:
    with pytest.raises(click.BadParameter):
        FiniteRange(0).convert(value, None, None)


def test_numbers_within_the_bounds_pass() -> None:
    assert FiniteRange(0, 100).convert("2.5", None, None) == 2.5
