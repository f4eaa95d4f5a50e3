"""The page as a reader has it: in a headless Chromium, on a phone, in the dark, on paper, by keyboard."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from .pages import ATTACK, CHANGES, CHROMIUM, PROVENANCE, change, reports_of, written

if CHROMIUM is None:
    pytest.skip("no chromium on this machine: apt-get install chromium", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
PHONE = {"width": 390, "height": 844}
MANY = 5000
HEBREW = 5  # its place among CHANGES
DRAWN = "all => all.filter(each => each.checkVisibility({contentVisibilityAuto: true})).length"
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything that is hard to lay out: long words, long labels, hashes, and text that is markup."""
    out = tmp_path_factory.mktemp("browser") / "bundle"
    long = "w" * 600
    first, second = reports_of((*CHANGES, change("lost", f"in {long} now", ("L" * 200, long), None)))
    labels = {**first.estimates.labels, "PhysicalObject/EmittingObject/" * 4: first.estimates.labels["LOC"]}
    first = replace(first, estimates=replace(first.estimates, labels=labels))
    return written(out, [first, second], provenance={**PROVENANCE, "checkpoint": {"a" * 90: "0f" * 32}}).parent


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with thousands of changes."""
    out = tmp_path_factory.mktemp("many") / "bundle"
    return written(out, reports_of((CHANGES * MANY)[:MANY]), speed=None, noise=None).parent


@pytest.fixture
def open_page(open_file: Open) -> Open:
    """`open_page(bundle, color_scheme="dark")`: its report."""
    return lambda folder, **settings: open_file(folder / "report.html", **settings)


def shown(page: Any) -> list[str]:
    """The kinds of the changes that are listed."""
    kinds: list[str] = page.eval_on_selector_all("#changes li:not([hidden])", "all => all.map(li => li.dataset.kind)")
    return kinds


# --- safe and whole


def test_nothing_but_the_page_itself_is_asked_for(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle)
    assert page.asked == [(bundle / "report.html").as_uri()]
    assert page.errors == []


def test_a_sentence_that_is_markup_is_shown_and_does_nothing(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle)
    assert page.title() == "Parity with PyTorch"
    assert page.locator("img").count() == 0
    assert page.get_by_text(ATTACK).first.is_visible()


def test_the_policy_stops_a_script_that_got_in_all_the_same(open_page: Open, bundle: Path, tmp_path: Path) -> None:
    markup = (bundle / "report.html").read_text(encoding="utf-8")
    planted = "<script>document.title = 'gone'</script><img src=x onerror=\"document.title = 'gone'\">"
    (tmp_path / "report.html").write_text(markup.replace("</main>", f"{planted}</main>"), encoding="utf-8")
    page = open_page(tmp_path)
    assert page.title() == "Parity with PyTorch"
    assert any("Content Security Policy" in error for error in page.errors)


def test_without_scripts_every_change_is_there_and_no_filter_that_would_do_nothing(
    open_page: Open, bundle: Path
) -> None:
    page = open_page(bundle, java_script_enabled=False)
    assert page.locator("#changes li").count() == len(CHANGES) + 1
    assert page.locator("#filter").is_hidden()


# --- the filter


def test_kinds_can_be_switched_off(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle)
    assert page.locator("#count").inner_text() == "8 of 8 changes"
    page.get_by_label("lost").uncheck()
    assert shown(page) == ["gained", "relabelled", "moved", "gained"]
    page.get_by_label("gained").uncheck()
    assert shown(page) == ["relabelled", "moved"]
    assert page.locator("#count").inner_text() == "2 of 8 changes"


def test_one_label_can_be_picked_however_it_reads(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle)
    page.locator("select[name=label]").select_option(label="<LOC>")
    assert shown(page) == ["lost"]
    page.locator("#changes").scroll_into_view_if_needed()
    page.screenshot()  # what comes onto the screen is laid out when a frame is drawn
    assert page.locator("#changes li:visible").inner_text().count("תל אביב") == 2


def test_one_variant_can_be_picked(open_page: Open, tmp_path: Path) -> None:
    first, second = reports_of()
    page = open_page(written(tmp_path / "b", [first, replace(second, changes=CHANGES[:2])]).parent)
    page.locator("select[name=variant]").select_option("fp32")
    assert shown(page) == ["lost", "gained"]
    page.locator("select[name=variant]").select_option("")
    assert len(shown(page)) == len(CHANGES) + 2


def test_filters_work_together(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle)
    page.locator("select[name=label]").select_option(label="LOC")
    page.get_by_label("lost").uncheck()
    assert shown(page) == ["relabelled", "moved", "gained"]


def test_thousands_of_changes_are_filtered_and_only_those_on_the_screen_are_laid_out(
    open_page: Open, many: Path
) -> None:
    page = open_page(many)
    page.locator("#changes").scroll_into_view_if_needed()
    assert 0 < page.eval_on_selector_all("#changes .variant", DRAWN) <= 200
    parts = "all => all.filter(each => getComputedStyle(each).contentVisibility === 'auto').length"
    assert page.eval_on_selector_all("#changes *", parts) == MANY / 100  # one a change took seconds to filter
    for kind in ("lost", "gained", "relabelled"):
        page.get_by_label(kind).uncheck()
    moved = sum(CHANGES[i % len(CHANGES)].kind == "moved" for i in range(MANY))
    assert page.locator("#count").inner_text() == f"{moved} of {MANY} changes"


def test_the_filter_works_by_keyboard(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle)
    page.locator("#filter input").first.focus()
    assert page.evaluate("document.activeElement.value") == "lost"
    page.keyboard.press("Space")
    assert "lost" not in shown(page)
    for _ in range(4):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "label"
    page.keyboard.press("ArrowDown")
    assert page.locator("#count").inner_text() != "8 of 8 changes"


def test_what_scrolls_and_what_opens_can_be_reached_by_keyboard(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle, viewport=PHONE)
    name, reached = "document.activeElement.ariaLabel ?? document.activeElement.innerText", set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(name))
    assert {"Each variant against PyTorch", "Where the bundle came from", "The numbers"} <= reached
    page.locator("summary").first.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


# --- layout


def test_the_chosen_columns_fit_1200_pixels_and_the_others_are_behind_a_switch(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle)
    box = page.get_by_role("region", name="Each variant against PyTorch")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    titles = ["variant", "F1", "against PyTorch", "churn", "batch effect", "verdict", "MB", "ms per text"]
    assert box.locator("th[scope=col]:visible").all_text_contents() == titles
    page.get_by_label("all columns").check()
    assert box.locator("th[scope=col]:visible").count() == len(titles) + 2


def test_the_page_begins_with_a_chart_beside_its_recommendation(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle)
    top = "each => each.getBoundingClientRect().top"
    assert page.locator("svg").first.evaluate(top) < page.locator("table").first.evaluate(top) < 900
    assert (
        page.locator(".advice").inner_text().startswith("Recommended: fp32, the fastest variant that passes: 14.20 ms")
    )


@pytest.mark.parametrize("width", [320, 390, 768, 1200])
def test_the_page_does_not_scroll_sideways(open_page: Open, bundle: Path, width: int) -> None:
    page = open_page(bundle, viewport={"width": width, "height": 844})
    page.add_style_tag(content="#changes ul { content-visibility: visible !important }")
    page.eval_on_selector_all("details", "all => all.forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_nothing_but_tables_sticks_out_on_a_phone(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle, viewport=PHONE)
    outside = """all => all.filter(each => !each.closest(".wide table, svg") && each.checkVisibility()
        && each.getBoundingClientRect().right > innerWidth + 0.5).map(each => each.outerHTML.slice(0, 99))"""
    assert page.eval_on_selector_all("main *", outside) == []


def test_letters_in_pictures_can_be_read_on_a_phone(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle, viewport=PHONE)
    sizes = """all => all.map(text => parseFloat(getComputedStyle(text).fontSize)
        * text.ownerSVGElement.getScreenCTM().a)"""
    found = page.eval_on_selector_all("svg text", sizes)
    assert len(found) > 100
    assert min(found) > 7.5


def test_a_text_runs_in_the_direction_of_its_script(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle)
    directions = page.eval_on_selector_all(
        "#changes li", "all => all.map(li => getComputedStyle(li.querySelector('.text')).direction)"
    )
    assert [i for i, direction in enumerate(directions) if direction == "rtl"] == [HEBREW]


def test_every_picture_has_a_name_for_who_cannot_see_it(open_page: Open, bundle: Path) -> None:
    names = open_page(bundle).eval_on_selector_all("svg", "all => all.map(svg => svg.ariaLabel)")
    assert len(names) == 6
    assert all(len(name) > 30 for name in names)


def test_marks_are_drawn_in_the_pictures(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle)
    boxes = page.eval_on_selector_all("svg use", "all => all.map(use => use.getBoundingClientRect().width)")
    assert len(boxes) > 20
    assert max(boxes) > 10  # the mark of the largest variant


# --- colours

CONTRAST = """() => {
  const context = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
  const rgb = (colour) => {
    context.clearRect(0, 0, 1, 1); context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
    const part = c[i] / 255;
    return sum + weight * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  }, 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
  };
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || element.closest("option")) continue;
    const inPicture = element.closest("svg");
    const colour = rgb(getComputedStyle(element)[inPicture ? "fill" : "color"]);
    if (inPicture && element.style.fill !== "var(--ink)") continue; // on a coloured cell
    const [low, high] = [light(colour), light(behind(element))].sort((a, b) => a - b);
    found.push([(high + 0.05) / (low + 0.05), texts.currentNode.data.slice(0, 40)]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_stands_out_from_what_is_behind_it(open_page: Open, bundle: Path, scheme: str) -> None:
    found = open_page(bundle, color_scheme=scheme).evaluate(CONTRAST)
    assert len(found) > 200
    assert [text for ratio, text in found if ratio < 4.5] == []


def test_a_word_that_does_not_would_be_found(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle)
    page.add_style_tag(content="figcaption { color: #999 !important }")
    assert [text for ratio, text in page.evaluate(CONTRAST) if ratio < 4.5]


def test_the_page_is_dark_where_the_reader_wants_it_so_and_light_on_paper(open_page: Open, bundle: Path) -> None:
    page = open_page(bundle, color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(22, 22, 27)"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.emulate_media(media="screen", color_scheme="light")
    assert page.evaluate(background) == "rgb(255, 255, 255)"


# --- paper and pictures


def test_on_paper_there_is_no_filter_and_every_change_and_table(open_page: Open, bundle: Path, tmp_path: Path) -> None:
    page = open_page(bundle)
    tables = page.locator("table").count()
    assert page.eval_on_selector_all("table", DRAWN) < tables  # some are folded up
    page.emulate_media(media="print")
    assert page.locator("#filter").is_hidden()
    assert page.eval_on_selector_all("#changes .variant", DRAWN) == len(CHANGES) + 1
    assert page.eval_on_selector_all("table", DRAWN) == tables
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_the_readmes_picture_is_taken_of_a_bundles_report(bundle: Path, tmp_path: Path) -> None:
    picture = tmp_path / "report.png"
    words = ["make", "report-picture", f"BUNDLE={bundle}", f"PICTURE={picture}", f"CHROMIUM={CHROMIUM}"]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True, timeout=1800)
    pixels = np.asarray(imread(picture))
    assert pixels.shape[1] == 1200
    assert 0.005 < (pixels[..., :3].min(axis=-1) < 0.5).mean() < 0.5


def test_a_bundle_without_a_report_has_no_picture(tmp_path: Path) -> None:
    words = ["make", "report-picture", f"BUNDLE={tmp_path}", f"PICTURE={tmp_path / 'report.png'}"]
    done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 2
    assert f"{tmp_path} has no report.html" in done.stderr
    assert not (tmp_path / "report.png").exists()
