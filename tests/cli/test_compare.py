"""`edgener compare`: its exit codes, its formats, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main
from edgener.compare.compare import BenchComparison
from edgener_runtime.base.serde import from_json, to_json

from ..bench.made import made_result, made_row, not_run, pair_of, written

BASE, SLOW = pair_of(1.1, 1)
ATTACK = "</script><img src=x onerror=alert(1)>"


def run(*arguments: object, columns: int = 200) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(main, ["compare", *map(str, arguments)])


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return written(tmp_path, base=BASE, slow=SLOW)


def test_without_a_limit_it_says_how_fast_each_row_is(files: list[Path]) -> None:
    done = run(*files)
    assert done.exit_code == 0, done.output
    assert "slow.json against" in done.output and "int8-dynamic on cpu, 2 threads" in done.output
    assert "slower" in done.output and "0.9" in done.output and "the machine itself" in done.output


@pytest.mark.parametrize(
    ("slower", "values", "code", "says"),
    [
        (1.0, {}, 0, "pass"),
        (1.1, {}, 3, "1 row is slower than allowed; the worst is int8-dynamic on cpu"),
        (1.03, {"between": 0.1}, 4, "1 row is not surely as fast as required"),
    ],
)
def test_the_exit_code_is_the_verdicts(
    tmp_path: Path, slower: float, values: dict[str, Any], code: int, says: str
) -> None:
    base, other = pair_of(slower, 1, **values)
    done = run(*written(tmp_path, base=base, other=other), "--max-regression", "5%")
    assert done.exit_code == code and says in done.output


def test_at_80_columns_no_word_is_broken_and_warnings_are_letters_with_reasons_below(tmp_path: Path) -> None:
    reason = "busy: other processes used 0.8 cores in 3 of 8 rounds"
    rows = [made_row(ms, seed, variant="int8-weight-only", scenario=scenario, marks=(reason,))
            for seed, (ms, scenario) in enumerate([(10.0, "single-stream"), (900.0, "multi-stream")])]  # fmt: skip
    done = run(*written(tmp_path, a=made_result(*rows), b=made_result(*rows)), columns=80)
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    table = done.stdout.split()
    assert table.count("int8-weight-only") == 2 and {"single-stream,", "multi-stream,", "difference"} <= set(table)
    assert f"[a] first: {reason}" in lines and f"[b] this: {reason}" in lines
    assert table.count("[a,") == 2 and table.count("b]") == 2


def test_json_can_be_read_back(files: list[Path]) -> None:
    done = run(*files, "--max-regression", "0.05", "--json")
    assert done.exit_code == 3
    comparison = from_json(BenchComparison, done.stdout, "stdout")
    assert comparison.verdict == "fail" and to_json(comparison) == done.stdout
    assert run(*files, "--format", "json").exit_code == 0


def test_json_has_no_infinity(tmp_path: Path) -> None:
    done = run(*written(tmp_path, **dict(zip("ab", pair_of(1, 1, rounds=1), strict=True))), "--json")
    json.loads(done.stdout, parse_constant=pytest.fail)


def test_github_gets_an_annotation_on_one_line_each(tmp_path: Path) -> None:
    base = made_result(made_row(10.0, 1, work="a\n::error::b, c: 100%"), made_row(9.0, 2, work="gone"))
    other = made_result(made_row(11.0, 3, work="a\n::error::b, c: 100%"), not_run(base.rows[1], "no\r\nmemory"))
    done = run(*written(tmp_path, base=base, other=other), "--max-regression", "5%", "--format", "github", columns=80)
    stop, *table = done.stdout.splitlines()
    end = table.index(f"::{stop.removeprefix('::stop-commands::')}::")  # until then GitHub heeds no command
    assert "gone" in "".join(table[:end])
    lines = table[end + 1 :]
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning", "::notice"]
    assert "a\ufffd%3A%3Aerror%3A%3Ab%2C c%3A 100%25" in lines[0] and "allowed 5.0%25" in lines[0]
    assert "no%0D%0Amemory" in lines[1]
    assert lines[2].endswith("fail: 2 rows were judged")


def test_junit_has_a_case_per_row(tmp_path: Path) -> None:
    base = made_result(
        made_row(10.0, 1), made_row(10.0, 2, work="\x00<b>"), made_row(9.0, 3, work="gone"),
        not_run(made_row(9.0, 4, work="never")),
    )  # fmt: skip
    other = made_result(
        made_row(10.0, 5), made_row(11.0, 6, work="\x00<b>", marks=("busy \x01",)), not_run(base.rows[2]), base.rows[3]
    )
    file = tmp_path / "new" / "verdicts.xml"
    assert run(*written(tmp_path, base=base, other=other), "--max-regression", "5%", "--junit", file).exit_code == 3
    suite = ElementTree.parse(file).getroot()[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "1",
    }  # fmt: skip
    assert [[child.tag for child in case] for case in suite] == [[], ["failure", "system-out"], ["error"], ["skipped"]]
    assert "\ufffd<b>" in (suite[1].get("name") or "")
    assert "allowed 5.0%" in (suite[1][0].get("message") or "")


def test_a_folder_gets_json_page_and_pictures(tmp_path: Path) -> None:
    rows = [made_row(4.0 * length, length, work=f"{length} subwords", f1=0.9, joules=3.0) for length in (1, 2, 4)]
    result = made_result(*rows)
    works = tuple(replace(work, subwords=64 * int(work.name.split()[0])) for work in result.workloads)
    files = written(tmp_path, a=replace(result, workloads=works), b=replace(result, workloads=works))
    for _ in range(2):  # the second time in place of the first
        assert run(*files, "--out", tmp_path / "out").exit_code == 0
    names = {file.name for file in (tmp_path / "out").iterdir()}
    stems = ("front-latency", "latency-length", "distribution", "energy")
    assert names == {
        "comparison.json",
        "comparison.html",
        *(f"{stem}.{end}" for stem in stems for end in ("svg", "png")),
    }
    page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 4 and "http" not in page.replace("http-equiv", "")


def test_a_page_is_written_and_escapes_what_is_hostile(tmp_path: Path) -> None:
    result = made_result(made_row(variant=ATTACK), bundle=ATTACK)
    page = tmp_path / "page.html"
    assert run(*written(tmp_path, a=result, b=result), "--html", page).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert ATTACK not in text and "&lt;/script&gt;" in text


def test_a_folder_that_is_not_ours_is_left_alone(files: list[Path], tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    done = run(*files, "--out", mine)
    assert done.exit_code == 2 and (mine / "letter.txt").read_text() == "dear"


def test_more_than_one_difference_is_2_unless_named(tmp_path: Path) -> None:
    other = replace(BASE, bundle_sha256="3" * 64, edgener_version="0.2.0", driver="loadgen")
    files = written(tmp_path, base=BASE, other=other)
    refused = run(*files)
    assert refused.exit_code == 2
    assert "edgener: edgener is 0.2.0, against 0.1.0" in refused.output and "--across edgener,load" in refused.output
    assert run(*files, "--across", "edgener").exit_code == 2
    assert run(*files, "--across", "edgener, load").exit_code == 0
    assert run(*files, "--anyway").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'BASE'"),
        (["base.json"], "Missing argument 'OTHER...'"),
        (["{base}", "missing.json"], "cannot read missing.json"),
        (["{base}", "{base}", "--max-regression", "much"], "found 'much', expected a share above 0"),
        (["{base}", "{base}", "--max-regression", "0%"], "found '0%', expected a share above 0"),
        (["{base}", "{base}", "--max-regression", "nan"], "found 'nan', expected a share above 0"),
        (["{base}", "{base}", "--across", "weather"], "found 'weather', expected names of machine, system"),
        (["{base}", "{base}", "--format", "xml"], "'xml' is not one of"),
    ],
)
def test_a_wrong_call_is_2(files: list[Path], arguments: list[str], message: str) -> None:
    done = run(*(argument.format(base=files[0]) for argument in arguments))
    assert done.exit_code == 2 and message in done.output


def test_a_newer_schema_is_2(files: list[Path]) -> None:
    files[1].write_text(files[1].read_text().replace('"schema_version": 1', '"schema_version": 2'), encoding="utf-8")
    done = run(*files)
    assert done.exit_code == 2 and "schema version 2; this edgener reads 1" in done.output


def test_damaged_samples_are_2(tmp_path: Path) -> None:
    row = BASE.rows[0]
    damaged = made_result(replace(row, rounds=tuple(replace(found, samples="!") for found in row.rounds)))
    done = run(*written(tmp_path, a=BASE, b=damaged))
    assert done.exit_code == 2 and "samples are damaged" in done.output
