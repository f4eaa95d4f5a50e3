"""Profiles: made from lengths, read in trtexec's notation, and checked before a build that would not complain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime.backends.tensorrt.profiles import (
    Profile,
    check_profiles,
    parse_shape,
    profiles_by_hand,
    profiles_for,
    window_lengths,
)
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.errors import UserInputError
from edgener_runtime.text.tokenize import TextTokenizer

INPUTS = ("input_ids", "attention_mask")


@given(st.lists(st.integers(2, 512), max_size=50), st.integers(8, 512), st.integers(1, 64))
def test_profiles_that_are_made_pass_the_check_and_take_every_window(
    lengths: list[int], max_length: int, rows: int
) -> None:
    profiles = profiles_for([min(length, max_length) for length in lengths], max_length, rows)
    check_profiles(profiles, max_length)
    assert all(profiles[0].takes(1, length) for length in range(1, max_length + 1))
    assert all(profiles[-1].takes(row, max_length) for row in range(1, rows + 1))


def test_the_optimal_shapes_are_the_median_alone_and_nine_in_ten_together() -> None:
    lengths = [*range(10, 20)] * 9 + [100] * 10
    one, several = profiles_for(lengths, 128)
    assert one == Profile((1, 1), (1, 16), (1, 128))
    assert several == Profile((1, 1), (8, 104), (8, 128))


def test_without_texts_a_sentence_is_taken_to_come() -> None:
    assert [profile.optimum for profile in profiles_for([], 128)] == [(1, 32), (8, 32)]
    assert [profile.optimum for profile in profiles_for([], 20)] == [(1, 20), (8, 20)]


def test_a_batch_of_one_needs_one_profile() -> None:
    assert len(profiles_for([20], 64, 1)) == 1


def test_no_batch_is_refused() -> None:
    with pytest.raises(UserInputError, match="batch of a profile is 0"):
        profiles_for([20], 64, 0)


def test_lengths_are_those_of_windows_with_special_tokens(bundle: object, manifest: Manifest) -> None:
    settings = manifest.tokenizer
    tokenizer = TextTokenizer(bundle / settings.file, settings)  # type: ignore[operator]
    assert window_lengths(tokenizer, [""]) == [2]
    assert max(window_lengths(tokenizer, ["oil leak " * 100])) == settings.max_length


@pytest.mark.parametrize(
    "text", ["1x16", "input_ids:1x16,attention_mask:1x16", " attention_mask:1x16 , input_ids:1x16 "]
)
def test_a_shape_in_trtexecs_notation(text: str) -> None:
    assert parse_shape(text, INPUTS) == (1, 16)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a shape"),
        ("16", "is not a shape"),
        ("1x16x3", "is not a shape"),
        ("-1x16", "is not a shape"),
        ("input_ids:1x16", "inputs are input_ids, attention_mask"),
        ("input_ids:1x16,input_ids:1x16", "inputs are"),
        ("input_ids:1x16,attention_mask:1x16,more:1x16", "inputs are"),
        ("input_ids:1x16,attention_mask:1x32", "differ in shape"),
    ],
)
def test_a_text_that_is_not_a_shape_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserInputError, match=message) as caught:
        parse_shape(text, INPUTS)
    assert caught.value.hint


def test_three_shapes_make_a_profile() -> None:
    found = profiles_by_hand(["1x1", "1x1"], ["1x16", "4x32"], ["1x64", "8x64"], INPUTS)
    assert found == (Profile((1, 1), (1, 16), (1, 64)), Profile((1, 1), (4, 32), (8, 64)))


def test_two_shapes_do_not() -> None:
    with pytest.raises(UserInputError, match="found 1 smallest, 1 optimal and 0 largest"):
        profiles_by_hand(["1x1"], ["1x16"], [], INPUTS)


GOOD = Profile((1, 1), (1, 16), (8, 64))


@pytest.mark.parametrize(
    ("profiles", "message"),
    [
        ([], "no profile was given"),
        ([Profile((1, 16), (1, 8), (1, 64))], "subwords are 16, 8 and 64, expected 1 <= min <= opt <= max"),
        ([Profile((1, 1), (8, 16), (4, 64))], "rows are 1, 8 and 4"),
        ([Profile((0, 1), (1, 16), (1, 64))], "rows are 0, 1 and 1"),
        ([Profile((1, 1), (1, 16), (1, 65))], "65 subwords, the model takes 64"),
        ([GOOD, Profile((1, 1), (2, 8), (8, 64))], "two profiles take the same shapes"),
        (
            [Profile((1, 1), (1, 16), (1, 32))],
            "no profile takes more than 32 subwords; long texts come in windows of 64",
        ),
    ],
)
def test_a_planted_fault_is_found(profiles: list[Profile], message: str) -> None:
    check_profiles([GOOD], 64)
    with pytest.raises(UserInputError, match=message):
        check_profiles(profiles, 64)
