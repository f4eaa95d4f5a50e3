"""The pages of selftests in a headless Chromium: the same layout and style as the other pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edgener.cli.main import main
from edgener_runtime.commissioning.selftest.page import page as page_of
from edgener_runtime.commissioning.selftest.report import SelftestReport, read_report

from .pages import CHROMIUM, written
from .test_browser import CONTRAST

if CHROMIUM is None:
    pytest.skip("no chromium on this machine: apt-get install chromium", allow_module_level=True)

DEVICES = sorted((Path(__file__).resolve().parents[2] / "benchmarks" / "devices").glob("*.json"))
CPU = next(file for file in DEVICES if file.stem == "x86-64-cpu")
TOPS = "all => all.map(each => each.getBoundingClientRect().top)"


def hostile() -> SelftestReport:
    """A report whose texts are long and markup."""
    report = read_report(CPU)
    machine = replace(report.machine, name="<img src=x>" + "w" * 300, cpu="c" * 300)
    check = replace(report.checks[0], detail="</main><script>1</script>" + "d" * 600, hint="h " * 300)
    return replace(report, machine=machine, bundle="b" * 200, checks=(check, *report.checks[1:]))


def write(folder: Path, markup: str) -> Path:
    file = folder / "selftest.html"
    file.write_text(markup, encoding="utf-8")
    return file


def test_a_selftests_page_begins_with_a_chart_a_sentence_and_then_tables(
    open_file: Callable[..., Any], tmp_path: Path
) -> None:
    file = write(tmp_path, page_of(read_report(CPU)))
    page = open_file(file)
    assert page.asked == [file.as_uri()] and page.errors == []
    [chart, advice, table] = (page.eval_on_selector_all(what, TOPS)[0] for what in ("svg", ".advice", "table"))
    assert 0 < chart < advice < table < 400
    assert "p50 0.48, p99 0.81 ms" in page.locator("svg text").all_text_contents()
    assert page.locator(".advice.pass").count() == 1


def test_the_matrix_of_selftests_has_a_bar_for_each_that_measured_latency(
    open_file: Callable[..., Any], tmp_path: Path
) -> None:
    done = CliRunner().invoke(main, ["report", "--html", *map(str, DEVICES)])
    page = open_file(write(tmp_path, done.output))
    bars = page.eval_on_selector_all("svg .bar", "all => all.map(each => each.getBoundingClientRect().width)")
    timed = [report.figure("p50_ms") for report in map(read_report, DEVICES) if report.figure("p50_ms")]
    assert len(bars) == len(timed) < len(DEVICES)
    for bar, milliseconds in zip(bars, timed, strict=True):
        assert milliseconds and bar / bars[0] == pytest.approx(milliseconds / (timed[0] or 1), rel=0.02)


@pytest.mark.parametrize("width", [320, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_of_a_selftest_scrolls_sideways_and_every_word_stands_out(
    open_file: Callable[..., Any], tmp_path: Path, width: int, scheme: str
) -> None:
    file = write(tmp_path, page_of(hostile()))
    page = open_file(file, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("img, script").count() == 0
    assert [text for ratio, text in page.evaluate(CONTRAST) if ratio < 4.5] == []


def test_tables_of_a_selftest_fit_1200_pixels(open_file: Callable[..., Any], tmp_path: Path) -> None:
    page = open_file(write(tmp_path, page_of(read_report(CPU))))
    boxes = page.eval_on_selector_all(".wide", "all => all.map(each => [each.scrollWidth, each.clientWidth])")
    assert len(boxes) == 4 and all(scroll <= client for scroll, client in boxes)


def test_all_pages_have_one_style(open_file: Callable[..., Any], tmp_path: Path) -> None:
    looks = """names => names.map(name => {
        const style = getComputedStyle(document.querySelector(name));
        return [name, style.fontFamily, style.fontSize, style.color, style.backgroundColor, style.borderBottom];
    })"""
    parts = ["body", "h1", "h3", ".advice", "table", "th", "td", "caption", "figcaption"]
    export, selftest = written(tmp_path / "bundle"), write(tmp_path, page_of(read_report(CPU)))
    first, second = (open_file(file).evaluate(looks, parts) for file in (export, selftest))
    assert first == second
