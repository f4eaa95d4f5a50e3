from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.commissioning.bench.spec import Gold, Spec, Text, scenarios_of
from edgener_runtime.errors import UserInputError


def test_a_spec_goes_through_json_with_its_texts(ask: Callable[..., Spec]) -> None:
    spec = ask(data="orders", texts=(Text("oil leak", (Gold("FAULT", 0, 8),)), Text("泵")), lengths=(16,), name="box")
    assert from_json(Spec, to_json(spec), "the spec") == spec
    assert not spec.is_labelled


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"scenarios": ("bursts",)}, "there is no scenario 'bursts'"),
        ({"scenarios": ()}, "there are no scenarios"),
        ({"devices": ()}, "there are no devices"),
        ({"devices": ("tpu",)}, "there is no device 'tpu'"),
        ({"data": "orders.txt"}, "orders.txt has no texts"),
        ({"threads": (0,)}, "threads is 0, expected a number above 0"),
        ({"samples_per_query": (-8,)}, "samples per query is -8"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"within": 0.0}, "within is 0"),
        ({"bound_ms": float("inf")}, "the bound is inf"),
    ],
)
def test_what_cannot_be_asked_is_refused(fields: dict[str, Any], says: str, ask: Callable[..., Spec]) -> None:
    with pytest.raises(UserInputError, match=says):
        ask(**fields)


def test_all_stands_for_every_scenario_and_each_counts_once() -> None:
    assert scenarios_of(["server", "all"]) == ("single-stream", "multi-stream", "offline", "server")
    assert scenarios_of(["server", "offline", "server"]) == ("server", "offline")
