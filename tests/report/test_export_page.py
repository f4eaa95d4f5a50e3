"""The page as a file: everything in it and in order, nothing loaded, nothing unescaped, in the wheel."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgener.parity.gate import Verdict, explain
from edgener.report.export_page import advise

from .pages import ATTACK, CHANGES, NOISE, PROVENANCE, SIZES, SPEED, change, reports_of, written

ROOT = Path(__file__).resolve().parents[2]


class Elements(HTMLParser):
    """Tags with their attributes, and all text that is neither script nor style."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._raw = False
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._raw = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._raw = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._raw else data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


@pytest.fixture(scope="module")
def markup(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("page") / "bundle").read_text(encoding="utf-8")


def test_the_page_begins_with_a_chart_and_a_recommendation_and_then_a_table(markup: str) -> None:
    main = markup.partition("<main>")[2]
    places = [
        main.index(part)
        for part in ("<h1", "<svg", 'class="advice pass"', 'id="variants"', "<table", '<h2 id="verdicts')
    ]
    assert places == sorted(places)
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", markup)
    assert headings == ["Variants", "Verdicts", "Throughput and churn", "Labels", "Entities that changed",
                        "Sensitivity of the matrix products", "Provenance"]  # fmt: skip


def test_every_judgement_is_shown_with_its_reason_and_verdict(markup: str) -> None:
    text = " ".join(Elements(markup).text.split())
    for report in reports_of():
        assert f"{report.variant}: {report.verdict}" in text
        for judged in report.judgements:
            assert f"{explain(report.variant, judged)}" in text
    verdicts = [judged.verdict.value for report in reports_of() for judged in report.judgements]
    assert re.findall(r'aria-label="(pass|fail|inconclusive):"', markup) == verdicts


def test_every_change_is_a_list_item_with_both_sides(markup: str) -> None:
    found = Elements(markup)
    items = [attributes for tag, attributes in found.tags if tag == "li" and "data-kind" in attributes]
    assert [item["data-kind"] for item in items] == [each.kind for each in CHANGES]
    assert {item["data-variant"] for item in items} == {"int8-dynamic"}
    assert found.count("mark") == sum(bool(each.pytorch) + bool(each.variant) for each in CHANGES)


def test_provenance_is_shown_value_by_value(markup: str) -> None:
    text = Elements(markup).text
    for word in ("versions.python", "3.11.9", "calibration.sentences", "512", "seeds", "1, 2", "training"):
        assert word in text


def test_a_sentence_with_markup_stays_text(markup: str) -> None:
    found = Elements(markup)
    assert found.count("img") == 0
    assert found.count("script") == 1
    assert found.text.count(ATTACK) == 2


@pytest.mark.parametrize("where", ["label", "data", "provenance", "variant", "role"])
def test_markup_anywhere_else_stays_text(where: str, tmp_path: Path) -> None:
    first, second = reports_of()
    if where == "label":
        found = change("lost", "in Paris", (ATTACK, "Paris"), None)
        labels = {ATTACK: first.estimates.labels["LOC"]}
        first = replace(first, changes=(found,), estimates=replace(first.estimates, labels=labels))
    if where == "data":
        first = replace(first, data=ATTACK)
    provenance = {ATTACK: {"a": ATTACK}} if where == "provenance" else PROVENANCE
    noise = NOISE | {ATTACK: {"int8-static": 0.1}} if where == "role" else {}
    if where == "variant":
        second = replace(second, isa=ATTACK)
        first = replace(first, isa=ATTACK)
    found_page = Elements(
        written(tmp_path / "b", [first, second], noise=noise, provenance=provenance).read_text(encoding="utf-8")
    )
    assert found_page.count("img") == 0
    assert found_page.count("script") == 1
    assert ATTACK in found_page.text


def test_nothing_is_loaded_and_no_other_script_may_run(markup: str) -> None:
    found = Elements(markup)
    loaded = [value for _, attributes in found.tags for name, value in attributes.items() if name in ("src", "srcset")]
    assert loaded == []
    links = [attributes["href"] for _, attributes in found.tags if "href" in attributes]
    assert all(link and link.startswith("#") for link in links)
    assert "@import" not in markup
    assert "http" not in re.sub(r'http-equiv|xmlns(:\w+)?="[^"]*"', "", markup)
    (policy,) = [
        attributes["content"] for tag, attributes in found.tags if tag == "meta" and "http-equiv" in attributes
    ]
    script = markup.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in policy


def test_the_same_reports_are_the_same_bytes(tmp_path: Path) -> None:
    one, other = (written(tmp_path / name) for name in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_the_page_says_what_was_not_measured(tmp_path: Path) -> None:
    page = written(tmp_path / "b", reports_of(()), speed=None, noise=None)
    text = Elements(page.read_text(encoding="utf-8")).text
    smallest = "Recommended: fp32, the smallest variant that passes (none of them was timed): entity F1"
    nothing = ("Not timed: int8-dynamic, fp32.", "No entity changed.", "Not measured: no search was made.")
    for words in (*nothing, smallest):
        assert words in text
    assert sorted(file.name for file in (tmp_path / "b" / "report").glob("*.svg")) == [
        "labels-fp32.svg",
        "labels-int8-dynamic.svg",
    ]


@pytest.mark.parametrize("text", ["\ud83d half", "a\x00b Paris", "\u202eright to left", "\r\n  spaced"])
def test_text_of_any_kind_can_be_written(text: str, tmp_path: Path) -> None:
    found = change("lost", f"{text} Paris", ("LOC", "Paris"), None)
    page = written(tmp_path / "b", reports_of([found]), noise=None)
    assert "Paris" in page.read_text(encoding="utf-8")


def test_the_wheel_has_the_page(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = {f"edgener/report/page/report.{kind}" for kind in ("html", "css", "js")}
    assert names <= set(zipfile.ZipFile(wheel).namelist())


def test_the_recommendation_is_the_fastest_variant_that_passes() -> None:
    first, second = (replace(report, verdict=Verdict.PASS) for report in reports_of())
    assert advise([first, second], SPEED, SIZES).startswith(
        "Recommended: int8-dynamic, the fastest variant that passes: 6.10 ms per text, entity F1 "
    )
    failed = replace(first, verdict=Verdict.FAIL)
    assert advise([failed, second], SPEED, SIZES).startswith(
        "Recommended: fp32, the fastest variant that passes: 14.20 ms"
    )
    assert advise([failed], SPEED, SIZES) == "No variant passes its accuracy budget."
