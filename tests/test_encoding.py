"""Training and the device see the same subwords and the same case classes, to the letter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgener.encoding import TextEncoder, load_tokenizer
from edgener_runtime.bundle.manifest import TokenizerSettings
from edgener_runtime.text.tokenize import TextTokenizer

pytestmark = pytest.mark.compat

LONGEST, STRIDE = 32, 8
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
Pair = tuple[TextEncoder, TextTokenizer]


@pytest.fixture(scope="session", params=["bert-uncased", "bert-cased", "roberta", "real"])
def pair(request: pytest.FixtureRequest) -> Pair:
    """The training side's encoder and the runtime's tokenizer of one checkpoint."""
    if request.param == "real":
        folder: Path = request.getfixturevalue("tiny_encoder")
    else:
        make_model: Callable[[str], Path] = request.getfixturevalue("make_model")
        folder = make_model(request.param)
    tokenizer = load_tokenizer(str(folder))
    device = TokenizerSettings("tokenizer.json", LONGEST, STRIDE, tokenizer.pad_token_id, INPUTS, case_channel=True)
    return TextEncoder(tokenizer, LONGEST, STRIDE, True, True), TextTokenizer(folder / "tokenizer.json", device)


ANY_TEXT = st.text(max_size=120) | st.text(st.characters(), max_size=40)  # the second has lone surrogates too
SOME_TEXT = st.lists(
    st.sampled_from(["Pump", "P-101", "LEAKS", "McDonald", "ǅ", "İstanbul", "STRASSE", "ß", "泵P-101漏水", "ポンプ",
                     "가스", "Ａｌａｒｍ", "e\u0301", "\u00a0", "\u200b", "\u3000", "\t", "\r\n", " ", "🔧", "x" * 50]),
    max_size=40,
).map("".join)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(text=ANY_TEXT | SOME_TEXT)
@example(text="")
@example(text=" ")
@example(text="a\ud800B")
@example(text="P" * 2000)
def test_any_text_gives_the_same_ids_and_token_types_on_both_sides(pair: Pair, text: str) -> None:
    encoder, device = pair
    [encoded], [subwords] = encoder.encode([text]), device.encode([text])
    assert encoded.ids == subwords.ids
    assert encoded.offsets == subwords.offsets
    ours = [(window, inputs["input_ids"], inputs["token_type_ids"]) for window, inputs in encoder.windows(encoded)]
    assert ours == list(device.windows(subwords))
    assert all(kind in range(4) for _, _, types in ours for kind in types)


def test_every_subword_of_a_word_carries_the_word_s_case_class(pair: Pair) -> None:
    encoder, _ = pair
    text = "bearing Housing SEAL McPump"
    [encoded] = encoder.encode([text])
    [(_, inputs)] = encoder.windows(encoded)
    types = inputs["token_type_ids"][len(encoder.prefix) : -len(encoder.suffix)]
    starts = [text.index(word) for word in text.split()]
    words = [sum(end > start for start in starts) - 1 for _, end in encoded.offsets]
    assert types == words  # 0 lower, 1 Initial, 2 CAPITALS, 3 other
    assert set(types) == {0, 1, 2, 3}


def test_without_the_case_channel_token_types_are_0(pair: Pair) -> None:
    encoder = TextEncoder(pair[0].tokenizer, LONGEST, STRIDE, case_channel=False, token_types=True)
    [encoded] = encoder.encode(["Pump P-101 LEAKS"])
    assert all(set(inputs["token_type_ids"]) == {0} for _, inputs in encoder.windows(encoded))


def test_a_model_without_token_types_gets_none(pair: Pair) -> None:
    encoder = TextEncoder(pair[0].tokenizer, LONGEST, STRIDE, case_channel=False, token_types=False)
    [encoded] = encoder.encode(["Pump P-101 LEAKS"])
    assert all("token_type_ids" not in inputs for _, inputs in encoder.windows(encoded))


def test_truncation_and_padding_of_the_tokenizer_file_are_ignored(tiny_encoder: Path) -> None:
    assert '"truncation":' in (tiny_encoder / "tokenizer.json").read_text()
    encoder = TextEncoder(load_tokenizer(str(tiny_encoder)), LONGEST, STRIDE, True, True)
    short, long = encoder.encode(["pump", "pump " * 700])
    assert (len(short.ids), len(long.ids)) == (1, 700)
