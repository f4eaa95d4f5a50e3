"""Names of numbered labels, and new names for the labels of the data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgener.data.labels import parse_pairs, parse_tag_names, tag_names_text
from edgener.data.read import DataSpec, read_splits
from edgener_runtime.errors import UserInputError

CONLL = "Mira B-PERSON\nleft O\nBasel B-CITY\nfor O\nBern B-CITY\n"


def labels_of(tmp_path: Path, *pairs: str) -> tuple[dict[str, int], dict[str, int]]:
    (tmp_path / "a.txt").write_text(CONLL)
    dataset = read_splits(DataSpec(str(tmp_path / "a.txt"), map_labels=parse_pairs(pairs)))["all"]
    return dict(dataset.entity_counts), dict(dataset.repairs)


def test_labels_get_new_names_at_once_and_o_drops_their_entities(tmp_path: Path) -> None:
    assert labels_of(tmp_path, "PERSON=PER", "CITY=LOC") == ({"PER": 1, "LOC": 2}, {})
    assert labels_of(tmp_path, "PERSON=CITY", "CITY=PERSON") == ({"CITY": 1, "PERSON": 2}, {})
    assert labels_of(tmp_path, "CITY=O") == ({"PERSON": 1}, {"entities mapped to O": 2})


def test_a_label_that_the_data_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UserInputError, match=r"no entity of the data has the label 'PER' .* it has CITY, PERSON"
    ) as error:
        labels_of(tmp_path, "PER=PERSON")
    assert error.value.hint and "--map-labels CITY=NEW" in error.value.hint


@pytest.mark.parametrize("text", ["PERSON=PER\n\nCITY = LOC\n", '{"PERSON": "PER", "CITY": "LOC"}'])
def test_pairs_may_stand_in_a_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "pairs").write_text(text)
    assert parse_pairs([str(tmp_path / "pairs"), "A=B"]) == (("PERSON", "PER"), ("CITY", "LOC"), ("A", "B"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["=PER"], "found '=PER', expected OLD=NEW"),
        (["PER="], "expected OLD=NEW"),
        (["A=B", "A=C"], "maps 'A' to 'B' and to 'C'"),
        (["nowhere"], "found 'nowhere', not a file; expected OLD=NEW"),
    ],
)
def test_pairs_that_are_none_are_refused(values: Sequence[str], message: str) -> None:
    with pytest.raises(UserInputError, match=message):
        parse_pairs(values)


@pytest.mark.parametrize(
    "text", ["O\nB-A\n", '["O", "B-A"]', '{"0": "O", "1": "B-A"}', '{"id2label": {"1": "B-A", "0": "O"}}']
)
def test_names_may_stand_in_a_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "names").write_text(text)
    assert parse_tag_names(str(tmp_path / "names")) == ("O", "B-A")


def test_a_name_in_brackets_is_not_json(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("[PAD]\nO\n")
    assert parse_tag_names(str(tmp_path / "names")) == parse_tag_names("[PAD],O") == ("[PAD]", "O")


@pytest.mark.parametrize("names", [("O", "B-A"), ("O", "B-a, b"), ("O",), ("[x", "O"), ("[PAD]", "O", "X")])
def test_names_go_through_a_command_line_and_back(names: tuple[str, ...]) -> None:
    assert parse_tag_names(tag_names_text(names)) == names


@pytest.mark.parametrize(
    "text", ["", "[]", '["O", 1]', '{"1": "O"}', '{"0": "O", "2": "B-A"}', "O\nO\n", '["oops', json.dumps({"O": 0})]
)
def test_names_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "names").write_text(text)
    with pytest.raises(UserInputError):
        parse_tag_names(str(tmp_path / "names"))
