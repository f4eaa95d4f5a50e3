"""Text to subwords and windows, with the bundle's tokenizer and with the other kinds that encoders come with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from edgener_runtime.bundle.manifest import Manifest, TokenizerSettings
from edgener_runtime.errors import BundleError
from edgener_runtime.text.tokenize import TextTokenizer, without_surrogates

pytestmark = pytest.mark.compat

SETTINGS = TokenizerSettings("tokenizer.json", 12, 3, 0, ("input_ids", "attention_mask"))


@pytest.fixture(scope="module")
def wordpiece(bundle: Path, manifest: Manifest) -> TextTokenizer:
    return TextTokenizer(bundle / "tokenizer.json", manifest.tokenizer)


def make_byte_level() -> Tokenizer:
    """As RoBERTa's: bytes, a space counted to the word behind it, <s> and </s>."""
    alphabet = ["<s>", "</s>", "<pad>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    merges = [("Ġ", "P"), ("Ġ", "p"), ("Ġ", "o"), ("Ġo", "i"), ("Ġoi", "l")]
    vocabulary = {token: i for i, token in enumerate([*alphabet, *(one + two for one, two in merges)])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=False)
    return tokenizer


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory: pytest.TempPathFactory) -> TextTokenizer:
    return saved(make_byte_level(), tmp_path_factory.mktemp("bpe"))


@pytest.fixture(scope="module")
def unigram(tmp_path_factory: pytest.TempPathFactory) -> TextTokenizer:
    """As XLM-RoBERTa's: pieces with scores, the unknown one known to the model alone."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁oil", "▁pump", "ing", "s", *"abcdefghijklmnopqrtuvwxyz"]
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True)
    return saved(tokenizer, tmp_path_factory.mktemp("unigram"))


def saved(tokenizer: Tokenizer, folder: Path, settings: TokenizerSettings = SETTINGS) -> TextTokenizer:
    tokenizer.save(str(folder / "tokenizer.json"))
    return TextTokenizer(folder / "tokenizer.json", settings)


def words(tokenizer: TextTokenizer, text: str) -> list[str]:
    """The text of each word: a subword that does not go on one starts it."""
    [subwords] = tokenizer.encode([text])
    found: list[list[int]] = []
    for (start, end), goes_on in zip(subwords.offsets, subwords.continues, strict=True):
        if goes_on and found:
            found[-1][1] = end
        else:
            found.append([start, end])
    return [text[start:end] for start, end in found]


# --- words


def test_wordpieces_go_on_a_word_by_their_marks(wordpiece: TextTokenizer) -> None:
    assert words(wordpiece, "Oilpumps leaking, 泵漏油") == ["Oilpumps", "leaking", ",", "泵", "漏", "油"]


def test_an_unknown_wordpiece_is_a_word(wordpiece: TextTokenizer) -> None:
    [subwords] = wordpiece.encode(["oil ☃☃ pump"])
    assert words(wordpiece, "oil ☃☃ pump") == ["oil", "☃☃", "pump"]
    assert subwords.ids[1] == wordpiece.encode(["[UNK]"])[0].ids[0]


def test_byte_level_pieces_start_a_word_at_a_space(byte_level: TextTokenizer) -> None:
    assert words(byte_level, "oil pump oil") == ["oil", " pump", " oil"]


def test_unigram_pieces_start_a_word_at_a_space_or_when_unknown(unigram: TextTokenizer) -> None:
    assert words(unigram, "pumping oils") == ["pumping", " oils"]
    assert words(unigram, "pump泵ing oil") == ["pump", "泵ing", " oil"]


# --- special tokens, windows


@pytest.mark.parametrize(
    ("kind", "prefix", "suffix"), [("wordpiece", [2], [3]), ("byte_level", [0], [1]), ("unigram", [0], [2])]
)
def test_the_tokens_around_a_text_are_learned_from_the_tokenizer(
    kind: str, prefix: list[int], suffix: list[int], request: pytest.FixtureRequest
) -> None:
    tokenizer = request.getfixturevalue(kind)
    assert (tokenizer.prefix, tokenizer.suffix) == (prefix, suffix)
    assert tokenizer.size == tokenizer.settings.max_length - 2


def test_a_tokenizer_without_special_tokens_fills_the_whole_window(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    plain = saved(tokenizer, tmp_path)
    assert (plain.prefix, plain.suffix, plain.size) == ([], [], 12)


def test_a_long_text_is_cut_into_windows_with_special_tokens_each(byte_level: TextTokenizer) -> None:
    [subwords] = byte_level.encode(["x" * 25])
    windows = list(byte_level.windows(subwords))
    assert [len(ids) for _, ids, _ in windows] == [12, 12, 12, 12]
    for window, ids, types in windows:
        assert ids == [0, *subwords.ids[window.start : window.end], 1]
        assert types == [0] * 12


def test_truncation_and_padding_of_the_file_are_not_used(bundle: Path, manifest: Manifest, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=16)
    kept = saved(tokenizer, tmp_path, manifest.tokenizer)
    short, long = kept.encode(["泵", "泵" * 100])
    assert (len(short.ids), len(long.ids)) == (1, 100)


@pytest.mark.parametrize("settings", [replace(SETTINGS, max_length=2), replace(SETTINGS, stride=-1)])
def test_settings_that_leave_no_room_are_refused(settings: TokenizerSettings, bundle: Path) -> None:
    with pytest.raises(BundleError, match="give no windows"):
        TextTokenizer(bundle / "tokenizer.json", settings)


def test_a_stride_wider_than_the_window_still_advances(bundle: Path) -> None:
    tokenizer = TextTokenizer(bundle / "tokenizer.json", replace(SETTINGS, stride=50))
    [subwords] = tokenizer.encode(["泵" * 30])
    assert [window.keep_end - window.keep_start for window, _, _ in tokenizer.windows(subwords)][1:-1] == [1] * 19


@pytest.mark.parametrize("content", ["", "{}", "[1]", json.dumps({"model": {"type": "Oracle"}})])
def test_a_file_that_is_not_a_tokenizer_is_reported(content: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(BundleError, match="cannot be read as a tokenizer"):
        TextTokenizer(tmp_path / "tokenizer.json", SETTINGS)


# --- the case channel


def test_each_subword_has_the_case_class_of_its_word(wordpiece: TextTokenizer) -> None:
    [subwords] = wordpiece.encode(["oil PUMP Xyzzy P-101"])
    words_classes = {0: 0, 4: 2, 9: 1, 15: 3}  # by where a word starts
    for (start, _), case in zip(subwords.offsets, subwords.classes, strict=True):
        assert case == words_classes[max(word for word in words_classes if word <= start)]
    _, _, types = next(wordpiece.windows(subwords))
    assert types == [0, *subwords.classes, 0]


def test_a_subword_that_counts_the_space_before_it_has_its_word_s_class(tmp_path: Path) -> None:
    tokenizer = saved(make_byte_level(), tmp_path, replace(SETTINGS, case_channel=True))
    [subwords] = tokenizer.encode(["oil P1"])
    assert subwords.offsets[-2:] == [(3, 5), (5, 6)]  # the first of them is " P"
    assert subwords.classes == [0, 0, 0, 3, 3]


def test_without_a_case_channel_all_types_are_zero(byte_level: TextTokenizer) -> None:
    assert set(byte_level.encode(["OIL Pump"])[0].classes) == {0}


# --- any text


@pytest.mark.parametrize("text", ["\ud800", "oil \udc80 pump", "\ud83d\ude42"])
def test_half_a_character_is_read_as_the_replacement_one(text: str, wordpiece: TextTokenizer) -> None:
    [subwords], [replaced] = wordpiece.encode([text]), wordpiece.encode([without_surrogates(text)])
    assert subwords == replaced
    assert len(without_surrogates(text)) == len(text)
    without_surrogates(text).encode("utf-8")


@pytest.mark.parametrize("kind", ["wordpiece", "byte_level", "unigram"])
@given(text=st.text(st.characters()))
def test_subwords_lie_in_the_text_in_order(kind: str, text: str, request: pytest.FixtureRequest) -> None:
    [subwords] = request.getfixturevalue(kind).encode([text])
    assert len(subwords.ids) == len(subwords.offsets) == len(subwords.continues) == len(subwords.classes)
    assert all(0 <= start <= end <= len(text) for start, end in subwords.offsets)
    starts = [start for start, _ in subwords.offsets]
    assert starts == sorted(starts)
