"""Tokens to text and back: offsets are exact to the character in any script."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgener.data.text.joining import join_tokens
from edgener_runtime.text.cut import split_text

HARD = "Ab1 _-.,#é\u0301\u0300ＡＢ１，。　漏油泵がガ\u3099नी\u094d한ไทยا\u200c\u00a0\u2028\U0001f527\ufe0f\U00020000"
TEXTS = st.text(st.sampled_from(HARD)) | st.text(max_size=40)
TOKENS = st.lists(st.text(st.sampled_from(HARD), min_size=1, max_size=5) | st.text(min_size=1, max_size=5))


def pieces(text: str, boundaries: tuple[int, ...] = ()) -> list[str]:
    return [text[start:end] for start, end in split_text(text, boundaries)]


@given(tokens=TOKENS)
def test_offsets_cut_the_tokens_out_of_the_joined_text(tokens: list[str]) -> None:
    text, offsets = join_tokens(tokens)
    assert [text[start:end] for start, end in offsets] == tokens
    ends = [0, *(end for _, end in offsets)]
    assert [text[end:start] for end, (start, _) in zip(ends, offsets, strict=False)] == [
        "" if start == end else " " for end, (start, _) in zip(ends, offsets, strict=False)
    ]
    assert ends[-1] == len(text)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["EU", "rejects", "German", "call"], "EU rejects German call"),
        (["我", "在", "上海", "工作", "。"], "我在上海工作。"),
        (["更换", "3", "号", "泵"], "更换3号泵"),
        (["ポンプ", "が", "漏れる"], "ポンプが漏れる"),
        (["펌프", "누유"], "펌프 누유"),
        (["1", "9", "6", "3", "年"], "1963年"),
        (["漏", "油", "，", "停", "机", "3", "h"], "漏油，停机3h"),
        (["使用", "Windows", "Server", "2019", "系统"], "使用Windows Server 2019系统"),
        (["他", "用", "i", "P", "h", "o", "n", "e", "拍", "照"], "他用iPhone拍照"),
        (["型番", "は", "ＡＢ", "-", "1", "2", "です"], "型番はＡＢ-12です"),
        (["ｶﾞｽ", "が", "2", "5", "℃"], "ｶﾞｽが25℃"),
        (["ปั๊ม", "รั่ว", "3", "ตัว"], "ปั๊มรั่ว3ตัว"),
        (["In", "1", "9", "6", "3", "Mr", "王", "came"], "In 1 9 6 3 Mr 王 came"),
        ([], ""),
    ],
)
def test_words_are_joined_by_spaces_and_han_and_kana_are_not(tokens: list[str], text: str) -> None:
    assert join_tokens(tokens)[0] == text


def test_a_sentence_without_words_is_joined_like_the_others_of_its_file() -> None:
    tokens = ["2", "0", "2", "6", "/", "1", "1"]
    assert join_tokens(tokens)[0] == "2 0 2 6 / 1 1"
    assert join_tokens(tokens, others=True)[0] == "2026/11"
    assert join_tokens(["call", "me"], others=True)[0] == "call me"


@given(text=TEXTS, boundaries=st.lists(st.integers(-1, 45)))
def test_every_character_but_white_space_is_in_one_token_and_no_token_crosses_a_boundary(
    text: str, boundaries: list[int]
) -> None:
    tokens = split_text(text, boundaries)
    covered = [position for start, end in tokens for position in range(start, end)]
    assert covered == [position for position, char in enumerate(text) if not char.isspace()]
    assert all(start < end for start, end in tokens)
    assert not any(start < boundary < end for start, end in tokens for boundary in boundaries)


@given(text=TEXTS)
@example(text="\u845b\U000e0100")  # a Han character with the variant it is to be drawn in
def test_a_mark_is_never_torn_from_its_base(text: str) -> None:
    for start, _ in split_text(text):
        if unicodedata.category(text[start]).startswith("M"):
            assert start == 0 or text[start - 1].isspace()


@given(tokens=TOKENS)
def test_the_joined_text_of_tokens_falls_apart_at_their_edges(tokens: list[str]) -> None:
    text, offsets = join_tokens(tokens)
    again = split_text(text, [edge for offset in offsets for edge in offset])
    assert all(any(start <= a and b <= end for start, end in offsets) for a, b in again)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Pump P-101 leaks.", ["Pump", "P", "-", "101", "leaks", "."]),
        ("更换3号泵，漏油", ["更", "换", "3", "号", "泵", "，", "漏", "油"]),
        ("ＡＢＣ　１２", ["ＡＢＣ", "１２"]),
        ("泵\u3000坏", ["泵", "坏"]),
        ("cafe\u0301s", ["cafe\u0301s"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("か\u3099x", ["か\u3099", "x"]),
        ("❤\ufe0f!", ["❤\ufe0f", "!"]),
        ("a\u00a0b\u2028c\td", ["a", "b", "c", "d"]),
        (" \t\n", []),
    ],
)
def test_a_raw_text_becomes_words_marks_and_single_han_characters(text: str, tokens: list[str]) -> None:
    assert pieces(text) == tokens


def test_a_word_is_cut_where_an_entity_ends_in_it() -> None:
    assert pieces("40°C 3bar", (2, 6)) == ["40", "°", "C", "3", "bar"]
