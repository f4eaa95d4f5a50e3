"""The page of benchmark results as a reader has it, in a headless Chromium."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from edgener.cli.main import main
from edgener.report.bench.charts import work_rows
from edgener.report.bench.columns import COLUMNS
from edgener.report.bench.matrix import candidates, groups_of, merge
from edgener.report.bench.recommend import Bounds, advise
from edgener_runtime.commissioning.bench.drivers.scenarios import SCENARIOS
from edgener_runtime.commissioning.bench.results.record import PARTIAL

from ...bench.made import made_result, made_row, not_run, on_another_machine, written
from ..pages import CHROMIUM

if CHROMIUM is None:
    pytest.skip("no chromium on this machine: apt-get install chromium", allow_module_level=True)

ATTACK = "</script><img src=x onerror=document.title='gone'>"
ROOT = Path(__file__).resolve().parents[3]
INT8 = made_row(5.0, 1, f1=0.885, marks=("busy: others used 0.8 cores",))
ONE = made_row(9.0, 2, f1=0.885, threads=1)
FP32 = made_row(12.0, 3, variant="fp32", precision="fp32", f1=0.892, size_bytes=90_000_000)
TOGETHER = made_row(3.0, 4, scenario="offline", f1=0.885, status=PARTIAL, reason="interrupted")
BOX = made_result(INT8, ONE, FP32, TOGETHER, not_run(made_row(1.0, 5, variant="int8-qdq")))
HOSTILE = replace(on_another_machine(made_result(made_row(20.0, 6, variant=ATTACK, f1=0.87))), name=ATTACK)
RESULTS = (BOX, HOSTILE)


def write_page(folder: Path, *arguments: object) -> Path:
    return page_of(folder, *written(folder, box=BOX, hostile=HOSTILE), *arguments)


def page_of(folder: Path, *arguments: object) -> Path:
    done = CliRunner().invoke(main, ["report", "--html", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    page = folder / "matrix.html"
    page.write_text(done.stdout, encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("bench"), "--max-p99", 50)


@pytest.fixture
def page(open_file: Callable[..., Any], file: Path) -> Any:
    return open_file(file)


def column(page: Any, title: str) -> list[str]:
    """The texts of the rows that are shown, in their order."""
    titles = page.eval_on_selector_all("#matrix th[scope=col]", "all => all.map(each => each.textContent)")
    place = titles.index(title)
    found: list[str] = page.eval_on_selector_all(
        "#matrix tbody tr:not([hidden])", f"all => all.map(row => row.cells[{place}].textContent)"
    )
    return found


def sentences(page: Any) -> list[str]:
    """The recommendation at the top, and those of each machine and work."""
    found: list[str] = page.eval_on_selector_all(
        "#advice, #choices li:not([hidden]) .advice", "all => all.map(p => p.textContent)"
    )
    return found


def expected(bounds: Bounds) -> list[str]:
    """The same as the command computes them."""
    matrix = merge(RESULTS, bounds)
    leading = work_rows(matrix.lines, RESULTS)[0].candidates().values()
    groups = groups_of(matrix.lines)
    return [advise(list(leading), bounds), *(advise(candidates(group, matrix.lines), bounds) for group in groups)]


def test_no_request_leaves_the_page_and_hostile_names_do_nothing(page: Any, file: Path) -> None:
    assert page.asked == [file.as_uri()] and page.errors == []
    assert page.title() == "Benchmark results"
    assert page.locator("img").count() == 0
    assert page.locator("#matrix").get_by_text(ATTACK).first.is_visible()
    assert page.locator("svg").count() >= 2


def test_rows_are_filtered(page: Any) -> None:
    assert page.locator("#count").inner_text() == "6 of 6 rows"
    page.locator("select[name=machine]").select_option(label="box")
    page.locator("select[name=scenario]").select_option(label="single-stream")
    assert column(page, "variant") == ["int8-dynamic", "int8-dynamic", "fp32", "int8-qdq"]
    page.locator("select[name=threads]").select_option(label="1")
    assert column(page, "threads") == ["1"] and page.locator("#count").inner_text() == "1 of 6 rows"
    page.locator("select[name=threads]").select_option("")
    page.locator("input[name=front]").check()
    assert column(page, "variant") == ["int8-dynamic", "fp32"]


def test_a_hostile_name_can_be_picked(page: Any) -> None:
    page.locator("select[name=machine]").select_option(label=ATTACK)
    assert column(page, "variant") == [ATTACK]


def test_rows_are_sorted_both_ways_and_those_without_a_figure_are_last(page: Any) -> None:
    def sorted_by(title: str) -> list[str]:
        page.locator("#matrix th[scope=col]").get_by_text(title, exact=True).click()
        return column(page, title)

    page.get_by_label("all columns").check()
    upwards = sorted_by("p50 ms")
    known = [text for text in upwards if text != "-"]
    nothing = ["-"] * (len(upwards) - len(known))
    assert upwards == known + nothing and len(known) > 1 and nothing
    assert [float(text) for text in known] == sorted(map(float, known))
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("p50 ms")
    downwards = sorted_by("p50 ms")
    assert downwards == [*reversed(known), *nothing]
    assert sorted_by("variant") == sorted(column(page, "variant"), key=str.casefold)


def test_it_is_sorted_by_keyboard(page: Any) -> None:
    page.locator("#matrix th[scope=col] button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("machine")


@pytest.mark.parametrize(
    ("p99", "f1"),
    [
        ("", ""),
        ("20", ""),
        ("20", "0.005"),
        ("8", "0.02"),
        ("8", "0"),
        ("0.5", ""),
        ("", "0.007"),
        ("5.9", ""),
        ("12", ""),
    ],
)
def test_the_recommendation_follows_the_bounds_and_is_that_of_the_command(page: Any, p99: str, f1: str) -> None:
    page.locator("input[name=p99]").fill(p99)
    page.locator("input[name=f1]").fill(f1)
    bounds = Bounds(float(p99) if p99 else None, float(f1) if f1 else None)
    assert sentences(page) == expected(bounds)


def test_the_bounds_of_the_command_stand_in_the_page(page: Any) -> None:
    assert page.locator("input[name=p99]").input_value() == "50"
    bounded = ["p99 under 50 ms" in sentence for sentence in sentences(page)]
    assert bounded == [True, True, False, True]  # all texts in one query have no p99
    assert page.locator(".advice.pass").count() == 4
    page.locator("input[name=p99]").fill("1")
    assert sentences(page)[:2] == ["Nothing here meets p99 under 1 ms."] * 2
    assert page.locator(".advice.pass").count() == 1


def test_only_shown_rows_are_recommended(page: Any) -> None:
    assert "int8-dynamic on 2 threads" in sentences(page)[0] and "its figures are marked" in sentences(page)[0]
    page.locator("select[name=threads]").select_option(label="1")
    assert ["int8-dynamic on 1 thread" in sentence for sentence in sentences(page)] == [True, True]


def test_the_page_begins_with_a_chart_and_one_sentence(page: Any) -> None:
    tops = "all => all.map(each => each.getBoundingClientRect().top)"
    [chart, advice, table] = (page.eval_on_selector_all(what, tops)[0] for what in ("svg", "#advice", "#matrix"))
    assert 0 < advice < table and 0 < chart < table and table < 900
    assert sentences(page)[0].startswith("Recommended: int8-dynamic on 2 threads of box, the fastest with p99")
    words = page.locator("svg").first.locator("text").all_text_contents()
    assert {"int8-dynamic", "fp32", "entity F1", "Pareto front", "box"} <= set(words)
    assert "p90 of the latency in ms, one text at a time" in words


# --- warnings


def test_a_warning_is_a_mark_with_its_reason_and_no_row_is_coloured(page: Any) -> None:
    colours = "all => [...new Set(all.map(each => getComputedStyle(each).backgroundColor))]"
    assert page.eval_on_selector_all("#matrix tbody *:not(a)", colours) == ["rgba(0, 0, 0, 0)"]
    names = page.eval_on_selector_all("#matrix .warning", "all => all.map(each => each.ariaLabel)")
    assert names == [
        "warning a: busy: others used 0.8 cores",
        "warning b: partial: interrupted",
        "warning c: not run: no CUDA driver",
    ]  # fmt: skip
    assert page.locator("#matrix .warning").first.get_attribute("title") == "busy: others used 0.8 cores"
    notes = [" ".join(text.split()) for text in page.locator(".notes li").all_inner_texts()]
    assert [note.lstrip("⚠\ufe0e") for note in notes] == [
        "a busy: others used 0.8 cores", "b partial: interrupted", "c not run: no CUDA driver",
    ]  # fmt: skip


def test_a_mark_leads_to_its_reason_by_keyboard(page: Any) -> None:
    page.locator("#matrix .warning").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.locator(":target").inner_text().endswith("partial: interrupted")


def test_a_row_that_was_not_run_says_so_in_place_of_its_figure(page: Any) -> None:
    row = page.locator("#matrix tr.not-run")
    assert (
        "not run" in row.inner_text()
        and row.locator("td").first.evaluate("element => getComputedStyle(element).fontStyle") == "italic"
    )


# --- the columns


MORE = ["p50 ms", "p90 ms", "texts/s", "F1 lost", "RSS MB", "CPU s / 1,000", "J / 1,000", "load s", "bundle", "state"]


def titles(page: Any) -> list[str]:
    """The titles of the columns that are shown."""
    seen = "all => all.filter(each => each.checkVisibility()).map(each => each.textContent)"
    found: list[str] = page.eval_on_selector_all("#matrix th[scope=col]", seen)
    return found


@pytest.mark.parametrize("scripts", [True, False])
def test_the_other_columns_are_behind_a_switch_that_needs_no_script(
    open_file: Callable[..., Any], file: Path, scripts: bool
) -> None:
    page = open_file(file, java_script_enabled=scripts)
    chosen = titles(page) if scripts else page.locator("#matrix th[scope=col]:visible").all_text_contents()
    assert chosen == [column.title for column in COLUMNS if column.title not in MORE]
    switch = page.get_by_label("all columns")
    switch.focus()
    page.keyboard.press("Space")
    assert switch.is_checked()
    assert page.locator("#matrix th[scope=col]:visible").count() == len(COLUMNS)
    assert page.locator("#matrix tbody tr").first.locator("td:visible").count() == len(COLUMNS) - 1


COMMITTED = [ROOT / "benchmarks" / "results" / "bench" / f"{name}.json" for name in ("conll2003", "made-up-1")]
LONG = made_result(
    *(
        made_row(1234567.0 + number, number, variant=f"int8-{'w' * 40}", work="w" * 60, scenario=scenario, f1=0.9,
                 marks=tuple(f"reason {number} {mark}" for mark in range(3)))
        for number, scenario in enumerate(SCENARIOS)
    ),
    name="NVIDIA Jetson AGX Orin Developer Kit, 12 cores, MAXN",
)  # fmt: skip


@pytest.mark.parametrize("results", ["committed", "long"])
def test_the_chosen_columns_fit_1200_pixels(open_file: Callable[..., Any], tmp_path: Path, results: str) -> None:
    files = COMMITTED if results == "committed" else written(tmp_path, long=LONG)
    page = open_file(page_of(tmp_path, *files))
    widths = "all => all.map(each => [each.scrollWidth, each.clientWidth])"
    for scroll, client in page.eval_on_selector_all(".wide", widths):
        assert scroll <= client
    assert page.evaluate("document.documentElement.scrollWidth") == 1200
    page.get_by_label("all columns").check()
    assert page.evaluate("document.documentElement.scrollWidth") == 1200  # the box of the table scrolls


def test_without_scripts_every_row_and_the_recommendation_are_there(open_file: Callable[..., Any], file: Path) -> None:
    page = open_file(file, java_script_enabled=False)
    assert page.locator("#matrix tbody tr").count() == 6
    assert page.locator("#filter").is_hidden() and page.locator("#bounds").is_hidden()
    assert page.get_by_text(
        "Recommended: int8-dynamic on 2 threads of box, the fastest with p99 under 50 ms"
    ).is_visible()


@pytest.mark.parametrize("width", [320, 768, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_does_not_scroll_sideways(open_file: Callable[..., Any], file: Path, width: int, scheme: str) -> None:
    page = open_file(file, viewport={"width": width, "height": 844}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_readmes_picture_is_taken_of_results(tmp_path: Path) -> None:
    picture = tmp_path / "bench.png"
    results = " ".join(map(str, written(tmp_path, box=BOX, hostile=HOSTILE)))
    tool = f"BIN={Path(sys.executable).parent}"
    words = [
        "make",
        "-o",
        ".venv/.ready",
        "bench-picture",
        tool,
        f"OUT={tmp_path}",
        f"RESULTS={results}",
        f"BENCH_PICTURE={picture}",
    ]
    subprocess.run([*words, f"CHROMIUM={CHROMIUM}"], cwd=ROOT, check=True, capture_output=True, timeout=1800)
    pixels = np.asarray(imread(picture))
    assert pixels.shape[1] == 1200
    assert 0.005 < (pixels[..., :3].min(axis=-1) < 0.5).mean() < 0.5


def test_selftests_and_benchmark_results_make_one_page(open_file: Callable[..., Any], tmp_path: Path) -> None:
    page = open_file(write_page(tmp_path, ROOT / "benchmarks" / "devices" / "x86-64-cpu.json"))
    assert page.get_by_role("heading", name="Selftests").is_visible()
    assert page.locator("#matrix tbody tr").count() == 6
