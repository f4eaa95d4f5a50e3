"""The table of readers: guesses, options and choices; test_house demands a test module for each row."""

from __future__ import annotations

import dataclasses

import pytest
from click.testing import CliRunner

from edgener.cli.main import main
from edgener.data.read import DataSpec
from edgener.data.readers.table import READERS, check_options, choose_reader
from edgener_runtime.errors import UserInputError

from .reading import file_of


@pytest.mark.parametrize("name", READERS)
def test_every_row_has_a_name_a_description_and_options_that_there_are(name: str) -> None:
    reader = READERS[name]
    assert reader.name == name and reader.description
    assert set(reader.options) <= {field.name for field in dataclasses.fields(DataSpec)}


@pytest.mark.parametrize("command", ["train", "evaluate", "export", "search"])
def test_every_reader_is_a_choice_of_format(command: str) -> None:
    (option,) = (option for option in main.commands[command].params if option.name == "format")
    assert list(option.type.choices) == ["auto", *READERS]  # type: ignore[attr-defined]


def test_the_help_names_every_reader() -> None:
    shown = CliRunner().invoke(main, ["data", "inspect", "--help"]).stdout
    assert all(name in shown for name in READERS)


def test_every_file_has_a_reader() -> None:
    assert choose_reader("auto", file_of("", "a.txt"), {}).name == "lines"
    assert choose_reader("auto", file_of("a O\n", "a.txt"), {}).name == "conll"
    assert choose_reader("auto", file_of("", "a.json"), {}).name == "json"
    assert choose_reader("spacy", file_of("", "a.txt"), {}).name == "spacy"


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if not reader.options])
def test_an_option_that_a_reader_does_not_take_is_refused_with_its_name(name: str) -> None:
    with pytest.raises(UserInputError, match=f"is read as {name}, which does not take --token-column, --scheme"):
        check_options(READERS[name], file_of(""), {"token_column": 1, "scheme": "IO"})
