"""The page of the result's schema is complete, and docs/reference/benchmark-result.md contains it unchanged."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from edgener.bench import schema
from edgener.bench.schema import MEANINGS, schema_page
from edgener_runtime.commissioning.bench.results import record
from edgener_runtime.errors import EdgenerError

from .made import made_result, made_row, written

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "benchmark-result.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Sample:
    """A synthetic record."""

    one: int | None
    many: tuple[float, ...]
    named: dict[str, str]


def between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0].strip("\n")


def test_the_page_is_that_of_the_records() -> None:
    found = between(PAGE, "<!-- schema -->", "<!-- /schema -->")
    assert found == schema_page(), "paste what python -m edgener.bench.schema prints"


def test_nothing_is_described_that_is_not_a_field() -> None:
    known = {name: {field.name for field in fields(getattr(record, name))} for name in MEANINGS}
    assert {name: set(says) - known[name] for name, says in MEANINGS.items()} == {name: set() for name in MEANINGS}


def test_a_field_that_is_not_described_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MEANINGS, "Round", {key: says for key, says in MEANINGS["Round"].items() if key != "joules"})
    with pytest.raises(EdgenerError, match=r"Round\.joules is not described"):
        schema_page()


def test_types_are_named_as_json_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MEANINGS, "Sample", {"one": "a", "many": "b", "named": "c"})
    monkeypatch.setattr(schema, "BenchResult", Sample)
    assert schema_page().splitlines()[4:] == [
        "| `one` | whole number or null | a |",
        "| `many` | list of number | b |",
        "| `named` | text by name | c |",
    ]


def test_the_program_of_the_page_reads_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, bench=made_result(made_row(10.0)))
    monkeypatch.chdir(tmp_path)
    exec(between(PAGE, "```python\n", "```"), {})  # our own page
    variant, _, medians = capsys.readouterr().out.partition(" ")
    assert variant and all(5 < float(median) < 20 for median in medians.strip("[]\n").split(", "))
