"""`edgener variants`: the table as a person, a program and the documents see it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main
from edgener.cli.release import variants as command
from edgener_exporters.variants import VARIANTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "variants.md"


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["variants", *arguments])


def test_every_variant_is_listed_with_where_it_runs_and_why_not_elsewhere() -> None:
    done = run()
    assert done.exit_code == 0
    for name, variant in VARIANTS.items():
        assert name in done.output
        assert all(word in done.output for reason in variant.refused.values() for word in reason.split())


def test_json_is_the_table() -> None:
    rows = {row["name"]: row for row in json.loads(run("--json").output)}
    assert list(rows) == list(VARIANTS)
    for name, variant in VARIANTS.items():
        row = rows[name]
        assert row["description"] == variant.description
        assert (row["precision"], row["exact"]) == (variant.precision, variant.exact)
        assert (row["calibrated"], row["planned"]) == (variant.calibrated, variant.planned)
        assert list(row["refused"].values()) == list(variant.refused.values())
        assert len(row["providers"]) == len(variant.requirements.providers)


def test_providers_are_called_as_people_call_them() -> None:
    rows = {row["name"]: row for row in json.loads(run("--json").output)}
    assert rows["fp32"]["providers"] == ["CPU", "CUDA", "TensorRT"]


def test_the_page_in_the_documents_is_what_the_table_gives() -> None:
    assert PAGE.read_text(encoding="utf-8") == run("--markdown").output, (
        "edgener variants --markdown > docs/reference/variants.md"
    )


def test_the_page_is_one_row_a_variant_of_five_cells() -> None:
    table = [line for line in run("--markdown").output.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(VARIANTS)
    assert {line.count(" | ") for line in table} == {len(command.HEADINGS) - 1}


def test_a_bar_and_a_new_line_are_no_cells_of_their_own() -> None:
    row = json.loads(run("--json").output)[0] | {"description": "a | b", "providers": ["CPU", "CUDA"]}
    line = command._markdown([row]).splitlines()[-1]
    assert r"a \| b" in line and "CPU<br>CUDA" in line


def test_what_needs_a_plan_or_calibration_text_says_so() -> None:
    lines = {line.split(" | ")[0].strip("| "): line for line in run("--markdown").output.splitlines() if "|" in line}
    for name, variant in VARIANTS.items():
        assert ("calibration text" in lines[name]) == variant.calibrated
        assert ("a search for its plan" in lines[name]) == variant.planned


@pytest.mark.parametrize("argument", ["--yaml", "fp32"])
def test_an_unknown_argument_is_a_wrong_call(argument: str) -> None:
    assert run(argument).exit_code == 2
