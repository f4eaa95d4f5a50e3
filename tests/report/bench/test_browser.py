"""The page of benches as a reader has it, in a headless Chromium."""

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
from edgener.report.bench.matrix import merge
from edgener.report.bench.recommend import Bounds
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
    files = written(folder, box=BOX, hostile=HOSTILE)
    done = CliRunner().invoke(main, ["report", "--merge", "--html", *map(str, [*files, *arguments])])
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
    """What is recommended."""
    found: list[str] = page.eval_on_selector_all(
        "#choices li:not([hidden]) .sentence", "all => all.map(p => p.textContent)"
    )
    return found


def test_no_request_leaves_the_page_and_what_is_hostile_does_nothing(page: Any, file: Path) -> None:
    assert page.asked == [file.as_uri()] and page.errors == []
    assert page.title() == "Which box, and which variant on it"
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


def test_rows_are_sorted_both_ways_and_what_has_no_figure_is_last(page: Any) -> None:
    def sorted_by(title: str) -> list[str]:
        page.locator("#matrix th[scope=col]").get_by_text(title, exact=True).click()
        return column(page, title)

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
    assert sentences(page) == [each.sentence for each in merge(RESULTS, bounds).recommended]


def test_the_bounds_of_the_command_stand_in_the_page(page: Any) -> None:
    assert page.locator("input[name=p99]").input_value() == "50"
    beginnings = [sentence.partition(":")[0] for sentence in sentences(page)]
    assert beginnings == ["p99 under 50 ms", "without a bound", "p99 under 50 ms"]  # all texts in one query have no p99
    page.locator("input[name=p99]").fill("1")
    assert sentences(page)[0] == "p99 under 1 ms: nothing here keeps that"
    assert page.locator("#choices .none").count() == 2


def test_only_what_is_shown_is_recommended(page: Any) -> None:
    assert "int8-dynamic on 2 threads" in sentences(page)[0] and "its figures are marked" in sentences(page)[0]
    page.locator("select[name=threads]").select_option(label="1")
    assert ["int8-dynamic on 1 thread (" in sentence for sentence in sentences(page)] == [True]


def test_what_is_marked_partial_or_not_run_looks_so(page: Any) -> None:
    plain = page.locator("#matrix tbody tr:not([class]), #matrix tbody tr[class='']").first.locator("td").first
    looks = "element => getComputedStyle(element).backgroundColor + getComputedStyle(element).fontStyle"
    seen = {plain.evaluate(looks)}
    for look, says in (("marked", "busy: others"), ("partial", "interrupted"), ("not-run", "no CUDA driver")):
        row = page.locator(f"#matrix tr.{look}")
        assert says in row.inner_text()
        assert row.locator("td").first.evaluate(looks) not in seen


def test_without_scripts_every_row_and_the_recommendation_are_there(open_file: Callable[..., Any], file: Path) -> None:
    page = open_file(file, java_script_enabled=False)
    assert page.locator("#matrix tbody tr").count() == 6
    assert page.locator("#filter").is_hidden() and page.locator("#bounds").is_hidden()
    assert page.get_by_text("p99 under 50 ms: int8-dynamic on 2 threads").first.is_visible()


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


def test_selftests_and_benches_make_one_page(open_file: Callable[..., Any], tmp_path: Path) -> None:
    page = open_file(write_page(tmp_path, ROOT / "benchmarks" / "devices" / "x86-64-cpu.json"))
    assert page.get_by_role("heading", name="What was proven where").is_visible()
    assert page.locator("#matrix tbody tr").count() == 6
