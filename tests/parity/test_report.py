"""The report's files: what a person reads, what a program reads, and each variant's changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edgener.data.types import Dataset
from edgener.parity.bootstrap import Estimate
from edgener.parity.budgets import Budget
from edgener.parity.compare import ParityReport, compare, judged_report, run_reference
from edgener.parity.gate import explain, judge
from edgener.parity.report import COLUMNS, markdown, row, write_reports
from edgener_exporters.variants import VARIANTS
from edgener_runtime.decoding.schemes import LabelSet

from .made import Scripted, dataset

GOLD = ("B-LOC I-LOC O", "B-PER O B-PER", "O O O", "B-LOC O O")
PYTORCH = ("B-LOC I-LOC O", "B-PER O B-PER", "O O B-PER", "B-LOC O O")
CHANGED = ("B-LOC I-LOC O", "B-PER O B-LOC", "O O O", "B-LOC O O")
DATA = dataset(*GOLD)
BUDGETS = (Budget("f1_drop", 0.1), Budget("churn", 0.0, "each"), Budget("batch_effect", 0.5))


def report_of(
    name: str, tags: Sequence[str] = CHANGED, data: Dataset = DATA, pytorch: Sequence[str] = PYTORCH
) -> ParityReport:
    reference = run_reference(Scripted(data.sentences, pytorch), data)  # type: ignore[arg-type]
    report = compare(reference, name, Scripted(data.sentences, tags))
    return judged_report(report, judge(VARIANTS[name], report.estimates, BUDGETS))


@pytest.fixture(scope="module")
def reports() -> list[ParityReport]:
    return [report_of("int8-dynamic"), report_of("fp32", PYTORCH)]


@pytest.fixture(scope="module")
def unlabelled() -> ParityReport:
    sentences = tuple(replace(each, spans=()) for each in DATA.sentences)
    return report_of("int8-dynamic", data=replace(DATA, sentences=sentences))


# --- what a person reads


def test_every_judgement_of_every_variant_is_a_line_with_its_verdict(reports: list[ParityReport]) -> None:
    lines = markdown(reports).splitlines()
    judged = [(report, judgement) for report in reports for judgement in report.judgements]
    assert (
        len(judged) == 1 + 2 + 1 + 3 + 1 + 3
    )  # F1, churn of each label, batch effect, masks; of FP32 labels and masks
    for report, judgement in judged:
        assert f"- {judgement.verdict}: {explain(report.variant, judgement)}" in lines
    assert sum(line.startswith("- fail: int8-dynamic changed") for line in lines) == 2


def test_the_summary_comes_first_with_a_row_for_each_variant(reports: list[ParityReport]) -> None:
    lines = markdown(reports).splitlines()
    head = lines.index(f"| {' | '.join(COLUMNS)} |")
    assert lines[0] == "# Parity with PyTorch"
    assert [line.split(" | ")[0] for line in lines[head + 2 : head + 4]] == ["| int8-dynamic", "| fp32"]
    assert lines[head + 2].endswith("| fail |") and lines[head + 3].endswith("| pass |")
    assert [line for line in lines if line.startswith("## ")] == ["## int8-dynamic", "## fp32"]


def test_it_says_on_what_it_was_measured(reports: list[ParityReport]) -> None:
    text = markdown(reports)
    assert "on mine.txt (test)" in text and "4 sentences, 12 tokens, 4 gold entities, 5 that PyTorch finds" in text
    assert "Intervals are at 95%, from 10000 resamples of 4 sentences" in text
    assert reports[0].isa in text


def test_a_figure_stands_with_its_interval(reports: list[ParityReport]) -> None:
    every = reports[0].estimates.overall
    assert every.churn is not None and every.f1 is not None
    cells = row(reports[0])
    assert cells[1] == f"{every.f1:.4f}"
    assert cells[3] == f"{every.churn.value:.2%} ({every.churn.low:.2%} to {every.churn.high:.2%})"


def test_a_dash_stands_where_nothing_was_measured(unlabelled: ParityReport) -> None:
    cells = dict(zip(COLUMNS, row(unlabelled), strict=True))
    assert cells["F1"] == cells["against PyTorch"] == "-"
    assert cells["churn"].startswith("30.00%")
    text = markdown([unlabelled])
    assert "| LOC | 0 | - | - | - | 2 |" in text
    assert "Calibration error" not in text and "nan" not in text.lower() and "None" not in text


def test_where_nothing_was_found_no_figure_is_invented() -> None:
    report = report_of("int8-dynamic", ("O",), dataset("O"), ("O",))
    assert row(report)[1:5] == ("-", "-", "-", "-")
    assert "| LOC | 0 | - | - | - | 0 | - |" in markdown([report])


def test_the_changes_are_counted_by_kind_length_and_unknown_subwords_and_only_where_there_are_any(
    reports: list[ParityReport],
) -> None:
    changed, same = (markdown([report]) for report in reports)
    assert "| PER | 1 | 0 | 1 | 0 |" in changed  # lost, gained, relabelled, moved
    assert "| 1 to 5 | 5 | 30.00% |" in changed and "| none | 5 | 30.00% |" in changed
    assert "changed entities" not in same


def test_a_difference_of_nothing_has_no_sign_of_a_loss(reports: list[ParityReport]) -> None:
    barely = replace(reports[1].estimates.overall, f1_difference=Estimate(-1e-9, -1e-9, 1e-9))
    report = replace(reports[1], estimates=replace(reports[1].estimates, overall=barely))
    assert row(report)[2] == "+0.0000 (+0.0000 to +0.0000)"


def test_every_table_has_as_many_cells_in_each_row_as_in_its_head(reports: list[ParityReport]) -> None:
    bars = 0
    for line in markdown(reports).splitlines():
        if not line.startswith("|"):
            bars = 0
            continue
        bars = bars or line.count("|")
        assert line.count("|") == bars, line


class Barred(Scripted):
    """A model with a label of two names."""

    label_set = LabelSet(("O", "B-A|B", "I-A|B", "B-PER", "I-PER"))


def test_a_bar_in_a_label_breaks_no_table() -> None:
    data, nothing = dataset("O O"), ["O O"]
    reference = run_reference(Barred(data.sentences, nothing), data)  # type: ignore[arg-type]
    text = markdown([compare(reference, "int8-dynamic", Barred(data.sentences, nothing))])
    assert "| A\\|B | 0 | - |" in text


# --- what a program reads


def test_the_json_is_the_reports_all_but_the_changes(reports: list[ParityReport], tmp_path: Path) -> None:
    write_reports(reports, tmp_path)
    read = json.loads((tmp_path / "parity.json").read_text(encoding="utf-8"))
    assert read == json.loads(json.dumps([report.record() for report in reports]))
    first = read[0]
    assert (first["variant"], first["verdict"], first["schema_version"]) == ("int8-dynamic", "fail", 1)
    assert first["figures"]["verdict"] == "fail"
    assert Estimate(**first["estimates"]["overall"]["churn"]) == reports[0].estimates.overall.churn
    assert [judged["verdict"] for judged in first["judgements"]] == [judged.verdict for judged in reports[0].judgements]


def test_no_number_in_the_json_is_beyond_json(reports: list[ParityReport], unlabelled: ParityReport) -> None:
    for report in (*reports, unlabelled):
        json.dumps(report.record(), allow_nan=False)


def test_each_variant_has_a_file_of_its_changes(reports: list[ParityReport], tmp_path: Path) -> None:
    write_reports(reports, tmp_path)
    assert sorted(path.name for path in (tmp_path / "diff").iterdir()) == ["fp32.jsonl", "int8-dynamic.jsonl"]
    lines = (tmp_path / "diff" / "int8-dynamic.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in lines] == [change.kind for change in reports[0].changes]
    assert (tmp_path / "diff" / "fp32.jsonl").read_bytes() == b""


def test_the_same_reports_are_the_same_bytes(reports: list[ParityReport], tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        write_reports(reports, tmp_path / name)
    files = ["parity.json", "parity.md", "diff/int8-dynamic.jsonl"]
    assert [(tmp_path / "a" / file).read_bytes() for file in files] == [
        (tmp_path / "b" / file).read_bytes() for file in files
    ]


@pytest.mark.parametrize("text", ["Größe 東京 🙂", "\ud83d half", 'a "quoted" | bar\\'])
def test_text_of_any_kind_can_be_written(text: str, tmp_path: Path) -> None:
    from .made import sentence

    of = sentence("B-LOC " + "O " * (len(text.split(" ")) - 1), text)
    data = Dataset("mine.txt", "test", (of,), "conll")
    nothing = " ".join("O" for _ in of.offsets)
    report = report_of("int8-dynamic", [nothing], data, [" ".join(of.tags())])
    write_reports([report], tmp_path)
    (line,) = (tmp_path / "diff" / "int8-dynamic.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["text"] == text.replace("\ud83d", "\ufffd")
