"""`edgener report`, and the table of what was run where."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main
from edgener_runtime.commissioning.selftest.report import read_report

from ..bench.made import made_result, made_row, not_run, written

ROOT = Path(__file__).resolve().parents[2]
DEVICES = sorted((ROOT / "benchmarks" / "devices").glob("*.json"))
TABLE = re.compile(r"<!-- proven where: begin -->\n(.*)<!-- proven where: end -->\n", re.DOTALL)


def run(*arguments: object, columns: int = 200) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(main, ["report", *map(str, arguments)])


def test_the_page_has_the_table_of_what_lies_in_the_repository() -> None:
    [table] = TABLE.findall((ROOT / "docs" / "reference" / "supported.md").read_text(encoding="utf-8"))
    assert table == run("--markdown", *DEVICES).output, "edgener report --markdown benchmarks/devices/*.json"


@pytest.mark.parametrize("file", DEVICES, ids=lambda file: file.stem)
def test_what_lies_in_the_repository_passed_and_names_no_path(file: Path) -> None:
    report = read_report(file)
    assert report.verdict == "pass" and report.answers
    assert not re.search(r'"/(home|work|root|tmp|Users)/', file.read_text(encoding="utf-8"))
    if report.machine.emulated_by:
        assert report.figure("p50_ms") is None and {check.seconds for check in report.checks} == {None}


def test_every_format_names_every_machine() -> None:
    rows = json.loads(run("--json", *DEVICES).output)["rows"]
    assert len(rows) == len(DEVICES) >= 2
    plain, markdown, html = (run(*form, *DEVICES).output for form in ((), ("--markdown",), ("--html",)))
    for row in rows:
        name = row["machine"].partition(" (")[0]
        assert all(name in text for text in (" ".join(plain.split()), markdown, html))
    assert all("Not run on a device yet" in text for text in (plain, markdown, html))


def test_a_name_is_not_markup_of_the_terminal(tmp_path: Path) -> None:
    text = DEVICES[0].read_text(encoding="utf-8")
    name = json.loads(text)["machine"]["name"]
    (tmp_path / "r.json").write_text(text.replace(json.dumps(name), json.dumps("[red]board[/red]")), encoding="utf-8")
    assert "[red]board[/red]" in run(tmp_path / "r.json").output


def bench(folder: Path) -> Path:
    row = made_row(5.0, 1, variant="int8|[red]", f1=0.9)
    [file] = written(folder, bench=made_result(row, not_run(made_row(1.0, 2, variant="int8-qdq"))))
    return file


@pytest.mark.parametrize("form", [(), ("--markdown",), ("--json",)])
def test_a_benchmark_result_is_a_matrix_with_a_recommendation(tmp_path: Path, form: tuple[str, ...]) -> None:
    done = run(*form, "--max-p99", 20, bench(tmp_path))
    assert done.exit_code == 0, done.output
    assert "int8" in done.output and "[red]" in done.output and "no CUDA driver" in done.output
    assert "p99 under 20 ms: int8" in done.output


def test_a_benchmark_result_without_rows_is_refused(tmp_path: Path) -> None:
    [file] = written(tmp_path, bench=made_result())
    done = run(file)
    assert (done.exit_code, done.stdout) == (2, "") and "bench.json has no rows" in done.stderr


def test_a_benchmark_result_in_markdown_is_a_table(tmp_path: Path) -> None:
    head, rule, *rows = run("--markdown", bench(tmp_path)).output.splitlines()
    assert head.startswith("| machine | variant | device | threads | scenario |")
    assert rule.count("---") == rows[0].replace("\\|", "").count("|") - 1
    assert rows[0].count("int8\\|[red]") == 1


def test_selftests_and_benchmark_results_are_distinguished(tmp_path: Path) -> None:
    files = (bench(tmp_path), *DEVICES)
    found = json.loads(run("--json", *files).output)
    assert len(found["selftests"]["rows"]) == len(DEVICES) and len(found["bench"]["lines"]) == 2
    for form in ((), ("--markdown",), ("--html",)):
        output = run(*form, *files).output
        assert "no CUDA driver" in output and "Not run on a device yet" in output


@pytest.mark.parametrize("form", [(), ("--markdown",), ("--json",), ("--html",)])
def test_merge_is_still_accepted_and_changes_nothing(tmp_path: Path, form: tuple[str, ...]) -> None:
    files = (bench(tmp_path), *DEVICES)
    old, new = run("--merge", *form, *files), run(*form, *files)
    assert old.exit_code == new.exit_code == 0 and old.stdout == new.stdout
    assert old.stderr == "note: --merge is no longer needed\n" and new.stderr == ""
    assert "--merge" not in run("--help").output


def test_at_80_columns_no_word_is_broken_and_each_work_is_a_table(tmp_path: Path) -> None:
    busy = "busy: other processes used 0.8 cores in 3 of 8 rounds"
    single = made_row(5.0, 1, variant="int8-weight-only", f1=0.9, marks=(busy,))
    offline = made_row(0.003, 2, variant="int8-weight-only", scenario="offline", f1=0.9)
    [file] = written(tmp_path, bench=made_result(single, offline, not_run(made_row(1.0, 3, variant="int8-qdq"))))
    lines = run(file, *DEVICES, columns=80).output.splitlines()
    assert max(map(len, lines)) <= 80
    words = " ".join(lines).split()
    assert words.count("int8-weight-only") >= 2 and {"onnxruntime", "tiny-factory", "reference"} <= set(words)
    titles = [line.strip() for line in lines if line.strip().startswith("box, bundle")]
    assert titles == ["box, bundle, single-stream, made-up", "box, bundle, offline, made-up"]
    assert f"[a] {busy}" in lines and "[b] not run: no CUDA driver" in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([DEVICES[0] if DEVICES else "", "--max-p99", "20"], "none of the files is a benchmark result"),
        (["x.json", "--max-p99", "0"], "0.0 is not in the range x>0"),
        (["x.json", "--max-f1-drop", "-1"], "-1.0 is not in the range x>=0"),
        ([], "Missing argument 'FILE...'"),
        ([ROOT / "README.md"], "README.md is damaged, or not JSON: "),
        ([ROOT / "benchmarks" / "results" / "bench" / "trials.json"], "is neither a selftest's report nor a "),
        ([ROOT], "is a directory"),
        (["missing.json"], "cannot read missing.json"),
    ],
)
def test_a_wrong_call_is_2(arguments: list[object], message: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2 and message in done.output
