"""`edgener data formats`: the table of readers for people, for programs and for the documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main
from edgener.data.readers.table import READERS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["data", "formats", *arguments])


def test_every_reader_is_listed() -> None:
    done = run()
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(READERS)


def test_json_is_the_table() -> None:
    rows = {row["name"]: row for row in json.loads(run("--json").stdout)}
    assert list(rows) == list(READERS)
    assert {name for name, row in rows.items() if row["guessed"]} == {
        "parquet", "datasets", "brat", "json", "csv", "conll", "lines"
    }  # fmt: skip
    assert rows["conll"]["options"] == ["--token-column", "--tag-column", "--scheme"]


def test_the_page_in_the_documents_is_what_the_table_gives() -> None:
    page = run("--markdown").stdout
    assert page.count("\n| ") == 2 + len(READERS)
    assert any(file.read_text(encoding="utf-8") == page for file in DOCS.rglob("formats.md")), (
        "edgener data formats --markdown > docs/reference/formats.md"
    )


@pytest.mark.parametrize("argument", ["--yaml", "conll"])
def test_an_unknown_argument_is_a_wrong_call(argument: str) -> None:
    assert run(argument).exit_code == 2
