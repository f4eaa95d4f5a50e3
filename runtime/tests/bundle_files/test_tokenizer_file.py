"""A tokenizer that does not divide texts as a bundle needs it is refused, whatever it does to the process."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from edgener_runtime import TokenClassifier
from edgener_runtime.bundle import tokenizer_file
from edgener_runtime.bundle.tokenizer_trial import PLAIN_TEXT, fault_of
from edgener_runtime.errors import BundleError

from .test_graph import write

pytestmark = pytest.mark.compat

Change = Callable[[dict[str, Any]], object]
TWICE = {
    "type": "TemplateProcessing",
    "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {},
}  # fmt: skip
UNKNOWN_SPECIAL = TWICE | {"single": [{"SpecialToken": {"id": "[X]", "type_id": 0}}, *TWICE["single"][:1]]}


def replacing(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def splitting(pattern: dict[str, str], behavior: str = "Isolated") -> dict[str, Any]:
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": False}


def after_each_other(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": list(parts)}


LOWER = {"type": "Lowercase"}
LONG_CHARSMAP = b64encode((1024).to_bytes(4, "little") + bytes(1024) + b"x " * 9000).decode()
WRONG: dict[str, tuple[Change, str]] = {
    "no model": (lambda t: t.pop("model"), "it has no model"),
    "an unknown model": (lambda t: t["model"].update(type="Oracle"), "its tokenizer ends the process that tries it"),
    "no vocabulary": (lambda t: t["model"].pop("vocab"), "cannot be read as a tokenizer"),
    "a vocabulary that is a text": (lambda t: t["model"].update(vocab="x"), "cannot be read as a tokenizer"),
    "no unknown subword": (lambda t: t["model"].update(unk_token="[NONE]"), "cannot be read as a tokenizer"),
    "a special token that is not there": (lambda t: t.update(post_processor=UNKNOWN_SPECIAL), "as a tokenizer: "),
    "every text twice": (lambda t: t.update(post_processor=TWICE), "more than once"),
    "each letter twice": (lambda t: t.update(
        normalizer={"type": "Sequence", "normalizers": [replacing({"String": "e"}, "e e")]}), "more than once"),
    "no vowels": (lambda t: t.update(pre_tokenizer=splitting({"String": "e"}, "Removed")), "drops the character 'e'"),
    "nothing is left": (lambda t: t.update(normalizer=replacing({"Regex": ".*"}, "")), "it drops the character 'T'"),
    "subwords left out at random": (lambda t: t["model"].update(type="BPE", dropout=0.3), "leaves out merges"),
    "ids of another model": (
        lambda t: t["model"].update(vocab={token: number + 1000 for token, number in t["model"]["vocab"].items()}),
        "tokenizer.json have the ids ",
    ),
    "words without an end": (
        lambda t: t["model"].update(max_input_chars_per_word=2**40), "divides words of up to 1099511627776 characters",
    ),
    "a charsmap of garbage": (
        lambda t: t.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAECAwQFBgcICQ=="}),
        "its tokenizer ends",
    ),
    "an expression that never ends": (
        lambda t: t.update(pre_tokenizer=splitting({"Regex": "(a|a)*(a|aa)*(?:a+)+c"})), "its tokenizer ",
    ),
    "megabytes for each character": (
        lambda t: t.update(normalizer=replacing({"Regex": " "}, "oil " * 30_000)), "more characters of one",
    ),
    "megabytes by rules that feed each other": (
        lambda t: t.update(normalizer=after_each_other(*[replacing({"String": "q"}, "q" * 16)] * 9)),
        "makes 256 or more characters of one; expected at most 64",
    ),
    "megabytes by rules with others between": (
        lambda t: t.update(normalizer=after_each_other(*[replacing({"String": "q"}, "Q\u0301Q"), LOWER] * 9)),
        "more characters of one",
    ),
    "bytes of bytes": (lambda t: t.update(normalizer=after_each_other(*[{"type": "ByteLevel"}] * 30)), "of one"),
    "a charsmap with a long text": (
        lambda t: t.update(normalizer={"type": "Precompiled", "precompiled_charsmap": LONG_CHARSMAP}), "of one",
    ),
    "parts in parts": (
        lambda t: t.update(normalizer=reduce(lambda part, _: after_each_other(part), range(400), LOWER)), "64 deep",
    ),
    "very many parts": (lambda t: t.update(normalizer=after_each_other(*[LOWER] * 2000)), "more than 1000 parts"),
    "a long mark of subwords": (
        lambda t: t["model"].update(continuing_subword_prefix="#" * 10_000), "marks subwords with 10000 characters",
    ),
    "a text of one letter that is dropped": (
        lambda t: t.update(normalizer=replacing({"Regex": "^a$"}, "")), "it drops the text 'a'",
    ),
    "no charsmap": (
        lambda t: t.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "%"}), "its tokenizer ends",
    ),
    "more special tokens than fit": (
        lambda t: t.update(post_processor=TWICE | {
            "single": [*[{"SpecialToken": {"id": "[CLS]", "type_id": 0}}] * 99, TWICE["single"][0]],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}},
        }),
        "adds 99 special tokens to each text",
    ),
    "an empty pattern": (lambda t: t.update(normalizer=replacing({"String": ""}, "oil leak " * 3)), "okenizer"),
}  # fmt: skip


def rewrite(bundle: Path, change: Change) -> None:
    content = json.loads((bundle / "tokenizer.json").read_text(encoding="utf-8"))
    change(content)
    write(bundle, "tokenizer.json", json.dumps(content).encode())


@pytest.mark.parametrize("name", WRONG)
def test_a_tokenizer_that_cannot_be_used_is_refused(
    name: str, copy: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer_file, "TRIAL_SECONDS", 15)
    change, expected = WRONG[name]
    rewrite(copy, change)
    with pytest.raises(BundleError) as raised:
        TokenClassifier.load(copy, "cpu", "fp32")
    assert expected in raised.value.message and "tokenizer.json" in raised.value.message and raised.value.hint
    for command in (["verify", copy], ["predict", copy, "oil leak"]):
        done = run(*command)
        assert (done.code, done.out) == (5, "") and done.err.startswith("error: ")


def test_the_padding_must_be_a_subword(edit: Callable[..., Path]) -> None:
    with pytest.raises(BundleError, match="has subwords with ids up to 406; the manifest's pad_id is 500"):
        TokenClassifier.load(edit("tokenizer", pad_id=500, embeddings=None), "cpu", "fp32")


@pytest.mark.parametrize("old", ['"[UNK]": 1,', '"model":', '"lowercase":'])
def test_a_key_that_stands_twice_is_refused(old: str, copy: Path, run: Callable[..., Any]) -> None:
    text = (copy / "tokenizer.json").read_text(encoding="utf-8")
    assert old in text
    again = f"{old[:-1]}, {old}" if old.endswith(",") else f"{old} null, {old}"
    write(copy, "tokenizer.json", text.replace(old, again, 1).encode())
    for command in (["verify", copy], ["predict", copy, "oil leak"]):
        done = run(*command)
        assert done.code == 5 and "tokenizer.json is damaged: the key" in done.err


@pytest.mark.parametrize("content", ['{"a": 1, "a": 2}', '{"a": NaN}', "{", '{"a": 1e999}'])
def test_every_json_of_a_bundle_is_verified(content: str, copy: Path, run: Callable[..., Any]) -> None:
    write(copy, "parity.json", content.encode())
    done = run("verify", copy)
    assert done.code == 5 and "parity.json is damaged" in done.err


def test_a_tokenizer_of_plain_parts_is_not_tried(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child process takes time at each start."""
    tried: list[Path] = []
    monkeypatch.setattr(tokenizer_file, "_try", lambda path, data: tried.append(path))
    TokenClassifier.load(copy, "cpu", "fp32").close()
    assert tried == []
    rewrite(copy, lambda t: t.update(pre_tokenizer=splitting({"Regex": "[0-9]+"})))
    with pytest.raises(BundleError):  # it drops nothing and finds no word either
        TokenClassifier.load(copy, "cpu", "fp32").close()
        raise BundleError("")
    assert tried == [copy / "tokenizer.json"]


def test_rules_of_real_tokenizers_are_no_growth(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transliterations make two letters of one, and of more than one letter; they do not feed each other."""
    pairs = {
        "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "æ": "ae", "œ": "oe", "å": "aa",
        "Å": "Aa", "…": "...", "ﬁ": "fi", "``": '"', "''": '"', "\u0301": "'", "№": "No.",
    }  # fmt: skip
    rules = [replacing({"String": old}, new) for old, new in pairs.items()]
    rewrite(copy, lambda t: t.update(normalizer=after_each_other(*rules, {"type": "NFKC"}, LOWER)))
    monkeypatch.setattr(tokenizer_file, "_try", lambda path, data: pytest.fail("tried"))
    TokenClassifier.load(copy, "cpu", "fp32").close()


@pytest.mark.parametrize("mark", ["▁", "_", "~", "Ġ"])
def test_any_mark_of_a_word_may_stand_alone_at_its_beginning(mark: str) -> None:
    """Metaspace has a mark of the user's choice; it is a subword of its own where few words are known."""
    letters = dict.fromkeys(f"{mark}{PLAIN_TEXT}".replace(" ", ""))
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, [], unk_token="T"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=mark)
    assert tokenizer.encode("T").tokens == [mark, "T"]
    assert fault_of(tokenizer) is None
    tokenizer.normalizer = normalizers.Replace(";", ";;")
    assert str(fault_of(tokenizer)).startswith("it has ';' more than once")


def test_a_tokenizer_that_passes_its_trial_is_used(copy: Path) -> None:
    both = {"type": "Sequence", "pretokenizers": [splitting({"Regex": "[0-9]+"}), {"type": "BertPreTokenizer"}]}
    rewrite(copy, lambda t: t.update(pre_tokenizer=both))
    with TokenClassifier.load(copy, "cpu", "fp32") as classifier:
        assert classifier.predict("oil leak")


def test_a_text_that_the_tokenizer_fails_on_is_reported_and_others_are_answered(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its unknown subword, WordPiece fails at each word that it does not know."""

    def forget(content: dict[str, Any]) -> None:
        content["model"]["unk_token"] = "[GONE]"

    monkeypatch.setattr("edgener_runtime.text.tokenize.fault_of", lambda tokenizer: None)
    rewrite(copy, forget)
    with TokenClassifier.load(copy, "cpu", "fp32") as classifier:
        answers = classifier.predict_batch(["oil leak", "☃", "pump"], return_errors=True)
    assert [isinstance(answer, list) for answer in answers] == [True, False, True]
    assert "cannot divide the text" in str(answers[1])
