"""The labels of a checkpoint: which scheme they follow, what is outside, and what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgener.labels import LabelChoice, decided, describe, label_set_of, name_of, names_of
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.errors import UserInputError

FILE = Path("model/config.json")


def read(names: str, **choice: Any) -> tuple[LabelSet, bool]:
    return label_set_of(names.split(), FILE, LabelChoice(**choice))


def refused(names: str, **choice: Any) -> UserInputError:
    with pytest.raises(UserInputError) as raised:
        read(names, **choice)
    return raised.value


@pytest.mark.parametrize(
    ("names", "scheme"),
    [
        ("O B-PER B-LOC", "IOB2"),
        ("O B-PER I-PER B-LOC", "IOB2"),  # in IOB1 every type has an I- label
        ("O B-PER I-PER I-LOC", "IOB1"),  # in IOB2 every type has a B- label
        ("I-PER I-LOC O", "IO"),
        ("O PER LOC", "PLAIN"),
        ("O E-MAIL PER", "PLAIN"),
        ("O 人名 地名", "PLAIN"),
        ("O B-X I-X E-X S-X", "BIOES"),
        ("O S-X B-X E-X", "BIOES"),
        ("O B-X M-X E-X S-X", "BMES"),
        ("O B-X I-X L-X U-X", "BILOU"),
        ("O U-X B-X L-X", "BILOU"),
        ("O B-X I-X S-X", "BIOS"),
        ("O B-X I-X E-X", "BIOE"),
        ("O b-per i-per e-per s-per", "BIOES"),
        ("O B_PER M_PER E_PER S_PER", "BMES"),
        ("O B-part-no I-part-no L-part-no U-part-no", "BILOU"),
        ("O B-M I-M B-S", "IOB2"),  # types of one letter
    ],
)
def test_labels_show_their_scheme(names: str, scheme: str) -> None:
    found, undecided = read(names)
    assert (found.scheme, undecided) == (scheme, False)


@pytest.mark.parametrize("names", ["O B-PER I-PER", "O b_per i_per B-LOC I-LOC", "O B-A I-A B-B I-C"])
def test_b_and_i_labels_leave_two_schemes(names: str) -> None:
    assert read(names)[1]
    for scheme in ("IOB1", "IOB2"):
        assert read(names, scheme=scheme) == (LabelSet(tuple(names.split()), scheme), False)


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("I-X I-X O I-Y", "IOB1"),
        ("I-X B-X O I-Y I-X", "IOB1"),
        ("B-X I-X O B-Y", "IOB2"),
        ("I-X O B-X O B-Y", "IOB2"),  # a weak model of IOB2
        ("O O", "IOB2"),
        ("", "IOB2"),
    ],
)
def test_predictions_decide_between_iob1_and_iob2(tags: str, scheme: str) -> None:
    assert decided(LabelSet(("O", "B-X", "I-X")), [tags.split(), ["O"]]).scheme == scheme


@pytest.mark.parametrize(
    ("names", "ignored"),
    [
        ("O B-PER I-PER X [CLS] [SEP]", "X [CLS] [SEP]"),
        ("<pad> O B-PER I-PER <START> <STOP>", "<pad> <START> <STOP>"),
        ("[PAD] B-人名 I-人名 S-人名 O", "[PAD]"),
        ("PAD O B-A I-A START END", "PAD START END"),
        ("O PER X [CLS]", "X [CLS]"),
    ],
)
def test_labels_of_special_tokens_are_ignored(names: str, ignored: str) -> None:
    found, _ = read(names)
    assert found.ignored == tuple(ignored.split())
    assert not {*ignored.split(), *(name[2:] for name in ignored.split())} & set(found.types)
    assert "ignored labels" in describe(found)


def test_a_plain_label_named_as_a_special_token_is_a_type() -> None:
    assert read("O START END")[0].types == ("END", "START")
    assert read("O START E-MAIL")[0].types == ("E-MAIL", "START")
    assert read("O START B-MAIL", scheme="PLAIN")[0].types == ("B-MAIL", "START")


@pytest.mark.parametrize(
    ("names", "outside"),
    [("OTHER B-PER I-PER", "OTHER"), ("b-per i-per o", "o"), ("_ PER LOC", "_"), ("0 B-X", "0"), ("none A B", "none"),
     ("B-PER I-PER nothing", "nothing")],
)  # fmt: skip
def test_another_outside_label_is_refused_by_its_name_or_taken(names: str, outside: str) -> None:
    error = refused(names)
    assert "no label 'O' for what is outside" in error.message and str(FILE) in error.message
    assert error.hint == f"Name it: --outside-label {outside}"
    found, _ = read(names, outside=outside)
    assert (found.outside, found.tags[names.split().index(outside)]) == (outside, "O")
    assert f"outside label {outside}" in describe(found)


def test_an_outside_label_that_there_is_not_is_refused() -> None:
    assert "no label 'OTHER'" in refused("O B-X I-X", outside="OTHER").message


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("O PER-B PER-I", "in a way that is not read: PER-B, PER-I"),
        ("O B I", "in a way that is not read: B, I"),
        ("O BEGIN-PER INSIDE-PER", "in a way that is not read: BEGIN-PER"),
        ("O B/PER I/PER", "in a way that is not read: B/PER, I/PER"),
        ("O Ｂ-人名 Ｉ-人名", "in a way that is not read: Ｂ-人名"),
        ("O B–PER I–PER", "in a way that is not read: B–PER"),
        ("O B1-PER I1-PER", "in a way that is not read: B1-PER"),
        ("O PER_B PER_I PER_E", "in a way that is not read: PER_B"),
        ("O B- I-", "in a way that is not read: B-, I-"),
        ("O B-PER I-PER MISC", "others without: MISC"),
        ("O S-Bahn U-Bahn", "with the prefixes S, U"),
        ("O I-X E-X", "with the prefixes E, I"),
        ("O B-cell T-cell", "with the prefixes B, T"),
        ("O B-X M-X L-X", "with the prefixes B, L, M"),
        ("O S-X", "with the prefixes S"),
    ],
)
def test_labels_that_follow_no_scheme_are_refused_with_the_ways_out(names: str, words: str) -> None:
    error = refused(names)
    assert words in error.message
    assert error.hint and "--model-scheme PLAIN" in error.hint and "--model-labels" in error.hint
    assert len(read(names, scheme="PLAIN")[0].types) == len(names.split()) - 1


@pytest.mark.parametrize("names", ["O", "O [CLS] <pad>"])
def test_a_model_without_entities_is_refused(names: str) -> None:
    assert "no label of an entity" in refused(names).message


def test_two_labels_of_one_meaning_are_refused() -> None:
    assert "the labels B-PER, b_PER mean the same" in refused("O B-PER I-PER b_PER").message


@pytest.mark.parametrize("scheme", ["BIOES", "BILOU"])
def test_a_scheme_in_which_the_labels_end_no_entity_is_refused(scheme: str) -> None:
    assert f"--model-scheme is {scheme}; the labels are B-X, I-X" in refused("O B-X I-X", scheme=scheme).message


@pytest.mark.parametrize(
    ("names", "scheme"),
    [("O PER LOC", "BIOES"), ("O B-X I-X", "IO"), ("O I-X", "IOB2"), ("O B-X I-X E-X", "IOB2"), ("O I-X PER", "IOB1")],
)
def test_a_scheme_that_the_labels_do_not_have_is_refused(names: str, scheme: str) -> None:
    assert f"--model-scheme is {scheme}" in refused(names, scheme=scheme).message


@pytest.mark.parametrize(
    ("names", "scheme", "taken"),
    [("O PER LOC", "IO", "PLAIN"), ("O I-PER", "IOB1", "IOB1"), ("O E-MAIL I-94", "PLAIN", "PLAIN")],
)
def test_a_scheme_that_is_given_is_taken(names: str, scheme: str, taken: str) -> None:
    assert read(names, scheme=scheme)[0].scheme == taken


def test_a_tag_has_the_name_of_its_label() -> None:
    labels = LabelSet(("OTHER", "b_per", "l_per", "u_per"), "BILOU", "OTHER")
    assert [name_of(labels, tag) for tag in ("O", "S-per", "E-per", "I-per")] == ["OTHER", "u_per", "l_per", "I-per"]


# --- names


def names(config: dict[str, Any], *given: str) -> tuple[str, ...]:
    return names_of(config, FILE, LabelChoice(given))


@pytest.mark.parametrize(
    ("id2label", "words"),
    [
        ({"1": "O", "2": "B-X"}, "counts from 1 to 2, expected 0 to 1"),
        ({"0": "O", "1": "B-X", "3": "I-X"}, "3 labels from 0 to 3, but none for 2"),
        ({"0": "O", "4": "B-X"}, "none for 1, 2, 3"),
        ({"2": "O", "4": "B-X"}, "none for 3"),
        ({"0": "O", "one": "B-X"}, "has the number 'one'"),
        ({"0": "O", "-1": "B-X"}, "has the number '-1'"),
        ({"0": "O", "1": None}, "names label 1 None"),
        ({"0": 0, "1": 1}, "names label 0 0"),
        ({"0": "O", "1": ""}, "names label 1 ''"),
        ({"0": "O ", "1": "B-X"}, "names label 0 'O '"),
        ({"0": "O", "1": "B-X", "2": "B-X"}, "has 'B-X' for 1 and 2"),
        (["O", "B-X"], "expected an object of numbers and names"),
        ({}, "expected an object of numbers and names"),
        (None, "expected an object of numbers and names"),
        ("O", "expected an object of numbers and names"),
    ],
)
def test_what_is_wrong_in_id2label_is_named(id2label: Any, words: str) -> None:
    with pytest.raises(UserInputError) as raised:
        names({"id2label": id2label})
    assert words in raised.value.message and str(FILE) in raised.value.message and raised.value.hint


@pytest.mark.parametrize(
    "config",
    [
        {"id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}},
        {"id2label": {"0": "0", "1": "1", "2": "2"}},
        {"id2label": {"0": "label_0", "1": "label_1", "2": "label_2"}},
        {"id2label": {"0": "Class 0", "1": "Class 1", "2": "Class 2"}},
        {"id2label": {"0": "0", "1": "1", "2": "2"}, "label2id": {"0": 0, "1": 1, "2": 2}},
        {"id2label": {"0": "O", "1": "LABEL_1", "2": "LABEL_2"}},
        {"num_labels": 3},
    ],
)
def test_labels_without_names_are_refused_until_they_are_given(config: dict[str, Any]) -> None:
    with pytest.raises(UserInputError, match="numbers its labels and does not name them") as raised:
        names(config)
    assert raised.value.hint and "Give 3 names" in raised.value.hint and "--model-labels O," in raised.value.hint
    assert names(config, "O", "B-X", "I-X") == ("O", "B-X", "I-X")
    with pytest.raises(UserInputError, match=r"2 names of labels are given; .* has 3 labels"):
        names(config, "O", "B-X")
    with pytest.raises(UserInputError, match="--model-labels has 'O' for 0 and 2"):
        names(config, "O", "B-X", "O")


def test_the_hint_has_the_names_of_label2id() -> None:
    numbered = {"0": "LABEL_0", "1": "LABEL_1"}
    with pytest.raises(UserInputError) as raised:
        names({"id2label": numbered, "label2id": {"B-X": 1, "O": 0}})
    assert raised.value.hint and raised.value.hint.endswith("--model-labels O,B-X")


def test_numbers_from_1_are_no_matter_where_names_are_given() -> None:
    assert names({"id2label": {"1": "O", "2": "B-X"}}, "O", "B-Y") == ("O", "B-Y")
