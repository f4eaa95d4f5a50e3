"""`edgener data inspect`: the published counts of real sets, what is warned of, and how bad input ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgener.cli.main import main

EDGENER = Path(sys.executable).with_name("edgener")
CONLL = "Pump B-EQ\nleaks B-F\n\nok O\n"


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command as it is typed."""
    words = [str(EDGENER), "data", "inspect", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=1800, check=False)


def counts(*arguments: object) -> dict[str, dict[str, Any]]:
    """The report of each split."""
    done = command(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return {report["split"]: report for report in json.loads(done.stdout)["splits"]}


def run(*arguments: object) -> Result:
    """The same without a new process."""
    return CliRunner().invoke(main, ["data", "inspect", *map(str, arguments)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "a.txt"
    written.write_text(CONLL)
    return written


# The set, how it is read, and sentences, tokens, entities, longest sentence of each split as its README gives them.
PUBLISHED = [
    ("wnut17", "conll IOB2", {
        "train": (3394, 62730, 1975), "valid": (1009, 15733, 836), "test": (1287, 23394, 1079)}, 105),
    ("sec_filings", "conll IO", {"train": (1164, 41010, 1168), "test": (303, 13246, 318)}, 641),
    ("germeval14", "conll IOB2", {"valid": (2200, 41653, 2674), "test": (5100, 96499, 6178)}, 51),
]  # fmt: skip


@pytest.mark.parametrize(("name", "form", "published", "longest"), PUBLISHED)
def test_the_published_counts_come_out(
    real_data: Path, name: str, form: str, published: dict[str, tuple[int, int, int]], longest: int
) -> None:
    found = counts("--data", real_data / name)
    assert {s: (r["sentences"], r["tokens"], r["entities"]) for s, r in found.items()} == published
    assert max(report["longest"] for report in found.values()) == longest
    assert {f"{report['format']} {report['scheme']}" for report in found.values()} == {form}
    kinds = {kind for report in found.values() for kind in report["mended"]}
    assert kinds == ({"comment lines"} if name == "germeval14" else set())


def test_conll_2003_has_its_published_counts_repeats_and_lengths(real_data: Path, minilm: Path) -> None:
    found = counts("--data", real_data / "conll2003", "--tokenizer", minilm, "--max-length", 128)
    columns = ("sentences", "tokens", "entities", "repeats")
    assert {split: tuple(report[column] for column in columns) for split, report in found.items()} == {
        "train": (14041, 203621, 23499, 1348),
        "valid": (3250, 51362, 5942, 179),
        "test": (3453, 46435, 5648, 266),
    }
    assert max(report["longest"] for report in found.values()) == 124
    assert found["test"]["labels"] == {"LOC": 1668, "ORG": 1661, "PER": 1617, "MISC": 702}
    assert [report["subwords"]["over_limit"] for report in found.values()] == [1, 3, 1]
    assert found["valid"]["subwords"]["share_over_limit"] == 3 / 3250
    assert not any(report["mended"] for report in found.values())


def test_maintie_is_flat_and_says_what_that_dropped(real_data: Path) -> None:
    report = counts("--data", real_data / "maintie" / "gold_release.json")["all"]
    assert (report["format"], report["sentences"], report["tokens"], report["longest"]) == (
        "token-spans",
        1076,
        6119,
        12,
    )
    assert report["entities"] == 3035
    assert report["mended"] == {"nested entities dropped": 362}


@pytest.mark.parametrize(("level", "labels"), [(1, 5), (2, 28)])
def test_maintie_is_shared_out_in_order_at_a_level_of_its_labels(real_data: Path, level: int, labels: int) -> None:
    file = real_data / "maintie" / "gold_release.json"
    found = counts("--data", file, "--cut", "80/10/10", "--label-level", level)
    assert {split: (report["sentences"], report["entities"]) for split, report in found.items()} == {
        "train": (860, 2399),
        "valid": (108, 309),
        "test": (108, 327),
    }
    seen = {label for report in found.values() for label in report["labels"]}
    assert len(seen) == labels and max(label.count("/") for label in seen) == level - 1


def test_leaks_are_warned_of_on_stderr_and_stdout_stays_json(real_data: Path) -> None:
    done = command("--data", real_data / "sec_filings", "--json")
    assert done.returncode == 0
    assert done.stderr == "warning: train and test share 7 sentences\n"
    assert json.loads(done.stdout)["overlaps"] == {"train and test": 7}


def test_every_leak_between_splits_is_named(file: Path) -> None:
    for name, text in (("train.txt", CONLL), ("dev.txt", CONLL), ("test.txt", "ok B-F\n\nnew O\n")):
        file.with_name(name).write_text(text)
    done = run("--data", file.parent)
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "warning: train and valid share 2 sentences",
        "warning: train and test share 1 sentences",
        "warning: valid and test share 1 sentences",
    ]


def test_the_built_in_set_has_no_leaks() -> None:
    done = command("--data", "builtin:factory", "--json")
    assert done.returncode == 0 and done.stderr == ""
    assert set(json.loads(done.stdout)["overlaps"].values()) == {0}


def test_the_table_shows_every_count(file: Path, minilm: Path) -> None:
    file.write_text(CONLL + "broken\n\nok O\n")
    done = run("--data", file, "--on-error", "skip", "--tokenizer", minilm, "--max-length", 3)
    assert done.exit_code == 0, done.output
    rows = {}
    for line in done.stdout.splitlines():
        cells = re.split(r" {2,}", line.strip())
        if len(cells) == 2:
            rows[cells[0]] = cells[1]
    assert rows == {
        "read as": "conll IOB2",
        "sentences": "3",
        "tokens": "4",
        "longest sentence": "2",
        "repeated sentences": "1",
        "entities": "2",
        "EQ": "1",
        "F": "1",
        "broken lines skipped": "1",
        "subwords 50%/90%/95%/99%/100%": "3/4/4/4/4",
        "over 3 subwords": "1 (33.33%)",
    }


def test_labels_are_shown_to_the_letter(file: Path) -> None:
    file.write_text("Pump B-[red]\nleaks B-:smile:\n漏 B-设备\n")
    done = run("--data", file)
    assert all(label in done.stdout for label in ("[red]", ":smile:", "设备"))


def test_text_of_any_language_is_utf8_whatever_the_terminal(file: Path) -> None:
    file.write_text("漏 B-设备\n", encoding="utf-8")
    words = [str(EDGENER), "data", "inspect", "--data", str(file), "--json"]
    done = subprocess.run(words, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=True)
    assert json.loads(done.stdout.decode("utf-8"))["splits"][0]["labels"] == {"设备": 1}


def test_half_an_emoji_is_counted_like_any_text(tmp_path: Path, minilm: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "ok \\ud83d", "entities": []}\n')
    done = run("--data", tmp_path / "a.jsonl", "--tokenizer", minilm, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["splits"][0]["subwords"]["quantiles"]["100%"] == 3  # [CLS] ok [SEP]


BAD_INPUT = [
    ("--data {folder}/nowhere.txt", "there is no file"),
    ("--data {folder}", "expected files named train, valid or test"),
    ("--data {folder}/empty.txt", "empty.txt holds no sentences"),
    ("--data {folder}/latin.txt", "latin.txt:2: not UTF-8: byte 0xfc"),
    ("--data {folder}/broken.txt", "broken.txt:2: found 'leaks', expected a token and a tag"),
    ("--data {folder}/broken.jsonl", "broken.jsonl:1: found 'oops', expected one JSON record per line"),
    ("--data {folder}/broken.json --on-error skip", "broken.json: expected a JSON array of records"),
    ("--data {folder}/good.txt --tag-column 3", "column 3 was asked for; its lines have 2"),
    ("--data {folder}/good.txt --cut 80/10/10", "has 2 sentences: too few for --cut 80/10/10"),
    ("--data {folder}/good.txt --cut 80/20", "found '80/20', expected three shares"),
    ("--data {folder}/good.txt --max-length 0", "--max-length"),
    ("--data {folder}/good.txt --scheme BILOO", "--scheme"),
    ("--data {folder}/good.txt --tokenizer package:no_such_package/model", "'no_such_package' is not installed"),
    ("--data {folder}/good.txt --tokenizer ./no/such/folder", "there is no folder ./no/such/folder"),
    ("--data builtin:office", "there is no built-in data set 'builtin:office'"),
    ("", "--data"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT)
def test_bad_input_exits_2_with_a_message(tmp_path: Path, arguments: str, message: str) -> None:
    texts = {
        "empty.txt": "\n",
        "latin.txt": "ok O\nGrüße O\n",
        "broken.txt": CONLL.replace("leaks B-F", "leaks"),
        "broken.jsonl": "oops\n",
        "broken.json": '[{"text": "a"}',
        "good.txt": CONLL,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="cp1252")
    done = run(*arguments.format(folder=tmp_path).split())
    assert done.exit_code == 2, done.output
    assert message in done.stderr and done.stdout == ""


def test_an_unloadable_tokenizer_is_bad_input(file: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    done = run("--data", file, "--tokenizer", tmp_path / "model")
    assert done.exit_code == 2
    assert f"cannot load a tokenizer from {tmp_path / 'model'}" in done.stderr


def test_an_error_is_a_message_and_the_next_step_without_a_traceback(file: Path) -> None:
    file.write_text(CONLL.replace("leaks B-F", "leaks"))
    done = command("--data", file)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == [
        f"error: {file}:2: found 'leaks', expected a token and a tag such as B-LABEL or O in columns 1 and 2 of 2",
        "  Fix the line, or skip such lines with --on-error skip.",
    ]
