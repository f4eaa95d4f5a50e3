"""The path from FP32 to the fastest kernels, and the search along it."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edgener_exporters.search.precision_search import SPREAD, PathSearch, path_of_plans
from edgener_exporters.variants import FP32

KERNELS = ("a", "b", "c")
positive = st.floats(0.001, 1.0)


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    roles = [f"product {number}" for number in range(draw(st.integers(1, 5)))]
    noise = {role: {kernel: draw(positive) for kernel in KERNELS} for role in roles}
    return noise, {role: {kernel: draw(positive) for kernel in (FP32, *KERNELS)} for role in roles}


def total(plan: dict[str, str], by_kernel: dict[str, dict[str, float]]) -> float:
    return sum(by_kernel[role].get(kernel, 0.0) for role, kernel in plan.items())


@given(tables())
def test_it_leads_from_fp32_to_the_fastest_kernel_of_each(
    made: tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]],
) -> None:
    noise, seconds = made
    plans = path_of_plans(noise, seconds)
    assert set(plans[0].values()) == {FP32}
    assert all(seconds[role][kernel] == min(seconds[role].values()) for role, kernel in plans[-1].items())


@given(tables())
def test_each_step_makes_one_product_faster(
    made: tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]],
) -> None:
    noise, seconds = made
    plans = path_of_plans(noise, seconds)
    for before, after in pairwise(plans):
        (changed,) = (role for role in before if before[role] != after[role])
        assert seconds[changed][after[changed]] < seconds[changed][before[changed]]


@given(tables(), st.data())
def test_no_other_choice_of_kernels_is_both_faster_and_less_noisy(
    made: tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]], data: st.DataObject
) -> None:
    noise, seconds = made
    squared = {role: {kernel: value**2 for kernel, value in by_kernel.items()} for role, by_kernel in noise.items()}
    other = {role: data.draw(st.sampled_from((FP32, *KERNELS))) for role in noise}
    for plan in path_of_plans(noise, seconds):
        faster = total(other, seconds) < total(plan, seconds) - 1e-9
        assert not (faster and total(other, squared) < total(plan, squared) - 1e-9)


def test_a_kernel_that_is_noisier_and_slower_is_never_taken() -> None:
    noise = {"one": {"a": 0.1, "b": 0.2}}
    seconds = {"one": {FP32: 1.0, "a": 0.5, "b": 0.6}}
    assert [plan["one"] for plan in path_of_plans(noise, seconds)] == [FP32, "a"]


def test_what_saves_most_for_its_noise_goes_first() -> None:
    noise = {"noisy": {"a": 0.3}, "precise": {"a": 0.01}}
    seconds = {"noisy": {FP32: 1.0, "a": 0.5}, "precise": {FP32: 1.0, "a": 0.5}}
    assert path_of_plans(noise, seconds)[1] == {"noisy": FP32, "precise": "a"}


@given(places=st.integers(1, 200), share=st.floats(0, 1))
def test_the_last_good_place_is_found_in_few_trials(places: int, share: float) -> None:
    last = int(share * places) - 1  # -1 where none is good
    search = PathSearch[int](places, lambda place: place)
    assert search.run(lambda place: place <= last) == last
    assert len(search.trials) <= SPREAD + 1 + math.ceil(math.log2(max(2, places / SPREAD + 1)))
    assert all(search.trials[place] == place for place in search.trials)


def test_a_good_place_behind_a_bad_one_is_not_trusted() -> None:
    search = PathSearch[int](13, lambda place: place)
    assert search.run(lambda place: place in (0, 1, 2, 3, 12)) == 3


def test_a_second_run_tries_no_place_again() -> None:
    tried: list[int] = []
    search = PathSearch[int](40, lambda place: tried.append(place) or place)  # type: ignore[func-returns-value]
    assert search.run(lambda place: False) == -1
    assert search.run(lambda place: place < 20) == 19
    assert len(tried) == len(set(tried))
