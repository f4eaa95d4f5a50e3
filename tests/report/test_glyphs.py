"""Labels that no installed font can draw: numbers with a key in PNG, the text itself in SVG."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.image import imread

from edgener.parity.bootstrap import Estimate
from edgener.report import glyphs
from edgener.report.canvas import figure
from edgener.report.plots import plot_confusion
from edgener.report.tradeoff import Plane, Point, draw_tradeoff

TEXT = "{http://www.w3.org/2000/svg}text"
TAGS = ["O", "B-设备", "I-设备", "B-部件 号", "B-장비", "B-場所ラベル", "B-PER"]


@pytest.fixture(autouse=True)
def no_wide_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without fonts for Chinese, Japanese and Korean; a missing glyph is an error."""
    monkeypatch.setattr(glyphs, "_WIDE_FONTS", ())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def draw_bars(names: list[str], *files: Path) -> None:
    with figure(5, 3, *files) as drawn:
        axes = drawn.subplots()
        axes.barh(range(len(names)), range(1, len(names) + 1))
        axes.set_yticks(range(len(names)), names)


def svg_texts(file: Path) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.parse(file).getroot().iter(TEXT)]


def test_a_matrix_has_numbers_and_a_key_beside_it(tmp_path: Path) -> None:
    counts = [[int(i == j) for j in range(len(TAGS))] for i in range(len(TAGS))]
    plot_confusion(counts, TAGS, tmp_path / "confusion.png")
    key = (tmp_path / "confusion.key.txt").read_text(encoding="utf-8")
    assert key == "[1]\t设备\n[2]\t部件\n[3]\t号\n[4]\t장비\n[5]\t場所ラベル\n"


def test_the_picture_is_that_of_its_numbers(tmp_path: Path) -> None:
    draw_bars(["B-设备", "장비", "PER"], tmp_path / "a.png")
    draw_bars(["B-安全", "分類", "PER"], tmp_path / "b.png")
    (tmp_path / "other").mkdir()
    draw_bars(["B-设备", "장비", "PER"], tmp_path / "other" / "a.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "other" / "a.png").read_bytes()
    # the names of the keys differ, and nothing else
    assert (imread(tmp_path / "a.png") != imread(tmp_path / "b.png"))[20:].sum() == 0


def test_a_vector_picture_has_the_text_and_no_key(tmp_path: Path) -> None:
    draw_bars(["设备", "장비", "場所"], tmp_path / "a.svg")
    assert {"设备", "장비", "場所"} <= set(svg_texts(tmp_path / "a.svg"))
    assert not list(tmp_path.glob("*.key.txt"))


def test_a_vector_picture_has_room_for_what_the_reader_s_font_draws(tmp_path: Path) -> None:
    wide, narrow = "设备类型名称很长的标签", "m" * 11
    starts = []
    for name in (wide, narrow):
        draw_bars([name, "PER"], tmp_path / "a.svg")
        root = ElementTree.parse(tmp_path / "a.svg").getroot()
        [text] = [element for element in root.iter(TEXT) if "".join(element.itertext()) == name]
        starts.append(float(text.attrib["x"]) if "x" in text.attrib else text.attrib["transform"])
    assert starts[0] == starts[1]


def test_texts_of_other_scripts_with_a_font_have_no_key(tmp_path: Path) -> None:
    draw_bars(["équipement", "Ω$_x$", "אבג", "деталь", ""], tmp_path / "a.svg", tmp_path / "a.png")
    assert not list(tmp_path.glob("*.key.txt"))


@pytest.mark.parametrize("name", ["ชิ้นส่วน", "🔧 tools", "उपकरण", "\U00020000"])
def test_any_other_text_without_a_glyph_has_a_number_too(name: str, tmp_path: Path) -> None:
    draw_bars([name, "PER"], tmp_path / "a.svg", tmp_path / "a.png")
    assert (tmp_path / "a.key.txt").read_text(encoding="utf-8").startswith("[1]\t")
    assert name in svg_texts(tmp_path / "a.svg")


def test_names_beside_marks_and_in_the_legend_have_numbers(tmp_path: Path) -> None:
    one = Estimate(1, 1, 1)
    points = [Point("动态", one, one, 1, "产线盒子"), Point("fp32", Estimate(2, 2, 2), one, 2, "工控机")]
    with figure(6, 4, tmp_path / "a.svg", tmp_path / "a.png") as drawn:
        draw_tradeoff(drawn, Plane("ms", "F1", less_x=True, less_y=False), points)
    key = (tmp_path / "a.key.txt").read_text(encoding="utf-8")
    assert sorted(line.partition("\t")[2] for line in key.splitlines()) == sorted(["动态", "产线盒子", "工控机"])


def test_a_key_that_is_no_longer_needed_is_removed(tmp_path: Path) -> None:
    draw_bars(["设备"], tmp_path / "a.png")
    draw_bars(["PER"], tmp_path / "a.png")
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_a_font_that_is_installed_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed() -> list[str]:
        return ["Malgun Gothic", "DejaVu Sans"]

    monkeypatch.setattr("matplotlib.font_manager.get_font_names", installed)
    monkeypatch.setattr(glyphs, "_WIDE_FONTS", ("Noto Sans CJK SC", "Malgun Gothic"))
    assert glyphs.families() == ("DejaVu Sans", "Malgun Gothic")


def test_pieces_are_numbered_once(tmp_path: Path) -> None:
    key: Any = glyphs.TextKey()
    assert [key.numbered(text) for text in ("B-设备", "I-设备", "设备/部件", "PER")] == [
        "B-[1]", "I-[1]", "[1]/[2]", "PER",
    ]  # fmt: skip
    assert glyphs.as_wide("B-设备") == "B-mm"
