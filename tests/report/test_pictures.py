"""Each picture as SVG and PNG: its content, the same bytes again, colours that anybody can distinguish."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread

from edgener.parity.bootstrap import Estimate
from edgener.report.canvas import COLOURS, label_text, looks
from edgener.report.export_page import write_html
from edgener.report.html import inline_svg
from edgener.report.pictures import draw_accuracy, draw_churn, draw_labels, draw_sensitivity, luminance, search_picture
from edgener.search import SearchTrial
from edgener_runtime.bundle.manifest import Spread

from .pages import NOISE, SIZES, SPEED, reports_of

TEXT = "{http://www.w3.org/2000/svg}text"
REPORTS = reports_of()


def words(file: Path) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.parse(file).getroot().iter(TEXT)]


def draw_all(folder: Path) -> list[str]:
    folder.mkdir()
    fronts = (draw(REPORTS, SPEED, SIZES, folder) for draw in (draw_accuracy, draw_churn))
    found = (*fronts, draw_labels(REPORTS[0], REPORTS, folder), draw_sensitivity("int8-static", NOISE, folder))
    return [picture.name for picture in found if picture]


def test_every_picture_is_an_svg_and_a_png(tmp_path: Path) -> None:
    names = draw_all(tmp_path / "a")
    assert names == ["f1-latency", "churn-throughput", "labels-int8-dynamic", "sensitivity-int8-static"]
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == sorted(
        name + kind for name in names for kind in (".png", ".svg")
    )
    for name in names:
        pixels = np.asarray(imread(tmp_path / "a" / f"{name}.png"))[..., :3]
        assert 0.005 < (pixels.min(axis=-1) < 0.9).mean() < 0.95


def test_the_same_figures_are_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        draw_all(tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_every_timed_variant_is_named_beside_its_mark(tmp_path: Path) -> None:
    draw_churn(REPORTS, SPEED, SIZES, tmp_path)
    assert {"int8-dynamic", "fp32", "Pareto front"} <= set(words(tmp_path / "churn-throughput.svg"))


def test_the_area_of_a_mark_is_the_size_of_the_file(tmp_path: Path) -> None:
    def extent(sizes: dict[str, int]) -> float:
        draw_accuracy(REPORTS, SPEED, sizes, tmp_path)
        root = ElementTree.parse(tmp_path / "f1-latency.svg").getroot()
        (mark,) = root.findall(".//*[@id='PathCollection_1']//{http://www.w3.org/2000/svg}path")
        numbers = [float(part) for part in mark.attrib["d"].split() if part.lstrip("-").replace(".", "").isdigit()]
        return max(numbers[::2]) - min(numbers[::2])

    whole, quarter = (extent({"int8-dynamic": size, "fp32": 100}) for size in (100, 25))
    assert quarter == pytest.approx(whole / 2, rel=0.01)


def test_what_was_not_timed_or_has_no_gold_gives_no_point(tmp_path: Path) -> None:
    assert draw_accuracy(REPORTS, {}, SIZES, tmp_path) is None
    assert draw_churn(REPORTS, {}, SIZES, tmp_path) is None
    without = replace(REPORTS[0].estimates.overall, f1=None, f1_pytorch=None, f1_difference=None)
    report = replace(REPORTS[0], estimates=replace(REPORTS[0].estimates, overall=without))
    assert draw_accuracy([report], SPEED, SIZES, tmp_path) is None
    assert draw_churn([report], SPEED, SIZES, tmp_path) is not None


def test_the_heat_map_has_every_product_of_a_layer_and_names_the_rest(tmp_path: Path) -> None:
    picture = draw_sensitivity("int8-dynamic", NOISE, tmp_path)
    cells = [word for word in words(tmp_path / "sensitivity-int8-dynamic.svg") if word.replace(".", "").isdigit()]
    assert len(cells) == 12 * 6 + 12 + 2  # the layers' numbers, and the 1 and 2 of feed forward
    assert "layer.11.feed_forward_2 with 43.20%" in picture.text
    assert "projection 0.00%" in picture.text


@pytest.mark.parametrize("label", ["$a_b$", "<LOC>&", "東京", "a" * 80, "\x00\ud83d\uffff", "מקום", ""])
def test_a_label_of_any_kind_can_be_drawn(label: str, tmp_path: Path) -> None:
    estimates = replace(REPORTS[0].estimates, labels={label: REPORTS[0].estimates.labels["LOC"]})
    report = replace(REPORTS[0], estimates=estimates)
    assert draw_labels(report, [report], tmp_path)
    assert not label or label_text(label) in words(tmp_path / "labels-int8-dynamic.svg")
    assert len(label_text(label)) <= 28


def test_a_label_without_entities_says_none(tmp_path: Path) -> None:
    nothing = replace(REPORTS[0].estimates.labels["LOC"], f1_difference=None, churn=None)
    estimates = replace(REPORTS[0].estimates, labels={"LOC": nothing})
    draw_labels(replace(REPORTS[0], estimates=estimates), REPORTS, tmp_path)
    assert [word.strip() for word in words(tmp_path / "labels-int8-dynamic.svg")].count("none") == 2


def test_ids_in_the_page_are_the_pictures_own_and_ink_is_the_pages(tmp_path: Path) -> None:
    draw_all(tmp_path / "a")
    roots = [ElementTree.fromstring(inline_svg(file, "t")) for file in sorted((tmp_path / "a").glob("*.svg"))]
    ids = [element.attrib["id"] for root in roots for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    used = [element.attrib["href"][1:] for root in roots for element in root.iter("use")]
    assert used
    assert set(used) <= set(ids)
    assert all("#1c1c22" not in ElementTree.tostring(root, encoding="unicode") for root in roots)


def test_colours_of_variants_are_okabe_and_itos_and_marks_differ_too() -> None:
    names = [f"v{i}" for i in range(len(COLOURS))]
    found = looks(names)
    assert len({colour for colour, _ in found.values()}) == len({marker for _, marker in found.values()}) == len(names)
    assert {"#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442"} < set(COLOURS)


def test_numbers_stand_out_on_every_colour_of_the_heat_map(tmp_path: Path) -> None:
    values = np.geomspace(1e-5, 1, 60)
    noise = {f"layer.{i // 6}.{part}": {"f": float(values[i])} for i in range(60) for part in [_part(i)]}
    draw_sensitivity("f", noise, tmp_path)
    root = ElementTree.parse(tmp_path / "sensitivity-f.svg").getroot()
    cells = [patch for patch in root.findall(".//*[@id='axes_1']/*") if patch.attrib["id"].startswith("patch_")]
    fills = [_rgb(path.attrib["style"]) for cell in cells for path in cell if "fill: #" in path.attrib["style"]]
    shown = [text for text in root.iter(TEXT) if "#fefefe" in text.attrib["style"] or "#010101" in text.attrib["style"]]
    coloured = fills[1 : 1 + len(shown)]  # the first is the paper
    assert len(shown) == 60
    for fill, text in zip(coloured, shown, strict=True):
        ends = sorted((luminance(fill), luminance(_rgb(text.attrib["style"]))))
        assert (ends[1] + 0.05) / (ends[0] + 0.05) >= 4.5


def _part(number: int) -> str:
    return ("query", "key", "value", "attention_output", "feed_forward_1", "feed_forward_2")[number % 6]


def _rgb(style: str) -> list[float]:
    digits = style.partition("fill: #")[2][:6]
    return [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]


# --- the search


def trial(name: str, churn: float, subwords: float) -> SearchTrial:
    speed = replace(SPEED["fp32"], throughput=Spread(subwords, subwords, subwords))
    return SearchTrial(name, {"fp32": 3}, 9_000, "pass", True, 0.9, None, Estimate(churn, churn / 2, 2 * churn), speed)


TRIALS = (
    trial("fp32", 0.0, 5e3),
    trial("int8-dynamic", 0.02, 2e4),
    trial("0 of 2", 0.001, 6e3),
    trial("2 of 2", 0.004, 1.8e4),
)


def test_what_a_search_tried_is_drawn_with_its_baselines_by_name(tmp_path: Path) -> None:
    picture = search_picture(TRIALS, "news <valid>", tmp_path)
    assert picture
    svg, png = picture.files(tmp_path)
    text = svg.read_text(encoding="utf-8")
    assert all(name in text for name in ("int8-dynamic", "fp32", "mixes", "front", "news &lt;valid&gt;"))
    assert "0 of 2" not in text and png.stat().st_size > 1000


def test_without_a_search_there_is_no_picture(tmp_path: Path) -> None:
    assert search_picture((), "", tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_page_shows_what_the_search_tried(tmp_path: Path) -> None:
    write_html(reports_of(), SPEED, {}, tmp_path, sizes=SIZES, trials=TRIALS, tried_on="news (valid)")
    assert "What the search tried" in (tmp_path / "report.html").read_text(encoding="utf-8")
