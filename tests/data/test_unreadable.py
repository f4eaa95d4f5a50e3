"""Files of kinds that are not read: the error names the kind, and no file becomes one long sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgener.data.read import DataSpec, read_splits
from edgener_runtime.errors import UserInputError

WRAPPED = (
    "The lathe stood in the hall for nine years before anybody\nasked why it hummed. "
    "Mira Weber, who had come to Basel\nin spring, opened the cover and found a nest in the\n"
    "housing of the second motor.\n"
)
KINDS = [
    (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
    (b"PK\x03\x04\x14\x00", "a zip archive"),
    (b"\x1f\x8b\x08", "a gzip archive"),
    (b"\x80\x04\x95\x10", "a Python pickle"),
    (b"SQLite format 3\0", "an SQLite database"),
    ("Mira B-PER\n".encode("utf-16-le"), "binary data, or UTF-16 without a byte order mark"),
    (b"<!DOCTYPE html>\n<html><p>Mira</p></html>", "an HTML page"),
    (b"<?xml version='1.0'?>\n<doc>Mira</doc>", "an XML document"),
    (b"<corpus>\n<s>\n<w>Mira</w>\n</s>\n</corpus>", "text with inline tags"),
    (b"<PER>Mira Weber</PER> left <LOC>Basel</LOC>.\nShe came back.\n", "text with inline tags"),
    (b'Yesterday <ENAMEX TYPE="PERSON">Mira</ENAMEX> left.\n', "text with inline tags"),
    (b"{\\rtf1\\ansi Mira}", "an RTF document"),
    (b"version: '3.1'\nnlu:\n- intent: order\n", "YAML"),
    (b"- order from [Mira](PER) in [Basel](LOC)\n", "text with inline entities"),
    (b"[PER Mira Weber] left [LOC Basel] .\n", "text with inline entities"),
    (b"Mira/B-PER left/O Basel/B-LOC ./O\n", "tokens with their tags behind a slash"),
    (b"Mira b-per\nleft o\nBasel b-loc\n", "tokens with tags that are not written as B-LABEL"),
    (b"Mira B_PER\nWeber I_PER\nleft O\n", "tokens with tags that are not written as B-LABEL"),
    (b"Mira PER-B\nWeber PER-I\nleft O\n", "tokens with tags that are not written as B-LABEL"),
    (b"Mira NN B:PER\nWeber NN I:PER\nleft V O\n", "tokens with tags that are not written as B-LABEL"),
    (b"#begin document (a); part 000\na 0 0 Mira NNP (PER)\na 0 1 left VBD *\n", "CoNLL-2012 columns with brackets"),
    (b"# Shift log\n\nMira fixed the lathe.\n", "a Markdown document"),
    (WRAPPED.encode(), "prose"),
    (b"Mira left. She took the lathe. Nobody saw her.", "prose"),
    (b"Mira\nleft\nBasel\n", "a list of words without tags"),
]


def refusal(path: Path, **options: str) -> UserInputError:
    with pytest.raises(UserInputError) as error:
        read_splits(DataSpec(str(path), **options))  # type: ignore[arg-type]
    return error.value


@pytest.mark.parametrize(("data", "name"), KINDS, ids=[name for _, name in KINDS])
def test_the_error_names_the_kind_of_file(tmp_path: Path, data: bytes, name: str) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    error = refusal(tmp_path / "a.txt")
    assert f"a.txt is {name}" in error.message and error.hint and error.exit_code == 2


def test_columns_without_tags_are_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.conllu").write_text("# text = Mira left\n1\tMira\tMira\tPROPN\n2\tleft\tleave\tVERB\n")
    assert "no column holds tags" in refusal(tmp_path / "a.conllu").message


@pytest.mark.parametrize(
    "text",
    [
        "Mira fixed the lathe in Basel.\nThe pump leaks.\n",
        "order 4711: pump leaks\n\nvalve stuck, call Otto\n",
        "漏油了，更换三号泵。\n轴承损坏\n",
        "wow <3 this pump\nok\n",
        "stop pump B\nstart pump B\n",
        "replace hydraulic hose on the boom cylinder and refit it\ninspect the leaking seal of the third slurry pump\n",
        "The pump leaks. Replaced the seal.\nValve stuck. Called Otto.\n",
    ],
)
def test_one_text_per_line_is_text_without_labels(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    dataset = read_splits(DataSpec(str(tmp_path / "a.txt")))["all"]
    assert [sentence.text for sentence in dataset.sentences] == [line for line in text.split("\n") if line]
    assert (dataset.format, dataset.labelled, dataset.labels) == ("lines", False, ())


def test_prose_is_read_line_by_line_where_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(WRAPPED)
    assert len(read_splits(DataSpec(str(tmp_path / "a.txt"), format="lines"))["all"].sentences) == 4


@pytest.mark.parametrize("name", ["a.txt", "a.ann"])
def test_one_of_the_two_files_of_a_document_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("Mira left Basel.\n")
    (tmp_path / "a.ann").write_text("T1\tPER 0 4\tMira\n")
    error = refusal(tmp_path / name)
    assert "document of BRAT" in error.message and error.hint and f"--data {tmp_path}" in error.hint
