"""What is thrown at a device: any text in any unit, very long ones, broken lines, odd label sets, little memory."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgener_runtime import Decoding, DeviceError, Entity, TokenClassifier
from edgener_runtime.backends.base import ANY
from edgener_runtime.bundle import verify
from edgener_runtime.text import tokenize as tokenize_module

Run = Callable[..., Any]
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and peaks of memory are read as on Linux")

# pieces that go wrong in other programs: controls, both directions, marks without a letter, every plane, no character
PIECES = (
    "oil leak", "P-101", " ", "\t\r\n", "\x00", "\x7f\x9b", "\u202e\u2066", "\u0645\u0636\u062e\u0629", "\u05de\u05e9",
    "e\u0301", "\u0301\u0323", "\u200d", "\ufe0f", "\ufeff", "\u2028", "泵漏", "ﬁ", "İ", "🔧", "👩🏽\u200d🔧",
    "\U00020000", "\U000e0041", "\U0010ffff", "\ufffe", "\ud800", "\udc00", "[SEP]", "##s",
)  # fmt: skip
wild_text = st.lists(st.sampled_from(PIECES) | st.text(st.characters(), max_size=4), max_size=40).map("".join)


# --- offsets in every unit


def in_utf8(text: str, entity: Entity) -> str:
    return text.encode("utf-8", "surrogatepass")[entity.start : entity.end].decode("utf-8", "surrogatepass")


def in_utf16(text: str, entity: Entity) -> str:
    units = text.encode("utf-16-le", "surrogatepass")[2 * entity.start : 2 * entity.end]
    return units.decode("utf-16-le", "surrogatepass")


def in_characters(text: str, entity: Entity) -> str:
    return text[entity.start : entity.end]


UNITS = {"characters": in_characters, "utf8": in_utf8, "utf16": in_utf16}


@pytest.mark.parametrize("unit", UNITS)
@settings(max_examples=80)
@given(text=wild_text, aggregation=st.sampled_from(["none", "simple", "first"]), strict=st.booleans())
def test_an_entity_is_where_it_is_said_to_be_in_any_unit(
    unit: str, text: str, aggregation: str, strict: bool, classifier: TokenClassifier
) -> None:
    found = classifier.predict(text, Decoding(aggregation, strict, offsets=unit))
    plain = classifier.predict(text, Decoding(aggregation, strict))
    assert [(one.label, one.text, one.score) for one in found] == [(one.label, one.text, one.score) for one in plain]
    for entity, known in zip(found, plain, strict=True):
        assert entity.text == text[known.start : known.end] == UNITS[unit](text, entity)


def test_the_pieces_do_have_entities(classifier: TokenClassifier) -> None:
    found = classifier.predict(" ".join(PIECES))
    assert len(found) > 5 and any(entity.text in "泵漏" for entity in found)


@settings(max_examples=30)
@given(lines=st.lists(wild_text, max_size=5))
def test_the_command_answers_any_lines_of_json(lines: list[str], bundle: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written, errors = io.BytesIO(), io.BytesIO()
        records = "".join(json.dumps({"text": line}) + "\n" for line in lines).encode()
        for name, stream in (("stdin", io.BytesIO(records)), ("stdout", written), ("stderr", errors)):
            patch.setattr(sys, name, io.TextIOWrapper(stream, encoding="utf-8", write_through=True))
        assert _ending("predict", str(bundle), "--format", "jsonl") == 0
        answers = [json.loads(line) for line in written.getvalue().decode().split("\n")[:-1]]
        assert errors.getvalue() == b""
    # two escapes of surrogates beside each other are one character in JSON
    assert [answer["text"] for answer in answers] == [json.loads(json.dumps(line)) for line in lines]


def _ending(*arguments: str) -> int:
    from edgener_runtime.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


# --- broken lines


def test_broken_lines_can_be_skipped_are_reported_and_end_in_2(bundle: Path, run: Run, tmp_path: Path) -> None:
    data = b"oil leak\n\xff\n\npump \xe6\xb3\nP-101\n"
    (tmp_path / "orders.txt").write_bytes(data)
    for source, done in (
        ("-", run("predict", bundle, "--on-error", "skip", stdin=data)),
        (tmp_path / "orders.txt", run("predict", bundle, "--on-error", "skip", "--input", tmp_path / "orders.txt")),
    ):
        assert done.code == 2
        assert [json.loads(line)["text"] for line in done.out.splitlines()] == ["oil leak", "P-101"]
        assert done.err.splitlines() == [
            f"skipped {source}:2: not UTF-8: byte 0xff",
            f"skipped {source}:4: not UTF-8: byte 0xe6",
            "error: 2 of the lines could not be read and were skipped",
        ]


def test_nothing_to_skip_is_not_an_error(bundle: Path, run: Run) -> None:
    done = run("predict", bundle, "--on-error", "skip", stdin=b"oil leak\n")
    assert (done.code, done.err) == (0, "")


# --- label sets


class Scores:
    """In place of a session: the last label everywhere."""

    provider = library = "a stub"
    shapes = ANY
    notes = ()

    def __init__(self, labels: int) -> None:
        self.labels = labels

    def run(self, feeds: dict[str, Any]) -> Any:
        logits = np.zeros((*feeds["input_ids"].shape, self.labels), dtype=np.float32)
        logits[..., -1] = 9
        return logits

    def close(self) -> None:
        pass


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("labels", "expected"),
    [(["O"], []), (["B-A"], ["A"]), (["O", *(f"B-KIND{n}" for n in range(999))], ["KIND998"])],
    ids=["only O", "one", "1000"],
)
def test_a_model_may_have_one_label_or_a_thousand(
    labels: list[str], expected: list[str], strict: bool, edit: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "require_graph", lambda *_: None)  # the bundle's has 15
    with TokenClassifier.load(edit(labels=labels), "cpu", "fp32") as classifier:
        classifier.engine._session = Scores(len(labels))
        assert [one.label for one in classifier.predict("泵", Decoding(strict=strict))] == expected


# --- long texts


@pytest.mark.parametrize("megabytes", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_megabytes_in_one_line_are_one_text(megabytes: int, bundle: Path, run: Run) -> None:
    line = b"oil leak " + b"x" * megabytes * 1_000_000 + b" oil leak"
    done = run("predict", bundle, "--variant", "fp32", stdin=line)
    assert (done.code, done.err) == (0, "")
    entities = json.loads(done.out)["entities"]
    assert entities[0]["start"] == 0 and entities[-1]["end"] == len(line)


LIMITED = """
import resource, sys
from edgener_runtime import TokenClassifier
text, spare = sys.argv[2] * int(sys.argv[3]), int(sys.argv[4])
with TokenClassifier.load(sys.argv[1], "cpu", "fp32", threads=1) as classifier:
    classifier.predict("oil leak")
    if spare:  # megabytes more than are in use
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * resource.getpagesize() + spare * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = len(classifier.predict(text))
    print(found, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def limited(bundle: Path, text: str, times: int, spare: int = 0) -> subprocess.CompletedProcess[str]:
    """The number of entities and the megabytes more at the peak, of a process with so many megabytes to spare."""
    command = [sys.executable, "-c", LIMITED, str(bundle), text, str(times), str(spare)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@only_linux
def test_a_megabyte_of_text_takes_bounded_memory(bundle: Path) -> None:
    done = limited(bundle, "oil leak at the seal of pump P-101. ", 1_000_000 // 36)
    assert done.returncode == 0, done.stderr
    found, megabytes = done.stdout.split()
    assert int(found) > 10_000
    assert float(megabytes) < 500


# --- little memory


@only_linux
def test_a_text_too_long_for_the_memory_left_is_reported_before_it_is_a_kill(bundle: Path) -> None:
    done = limited(bundle, "oil leak ", 100_000, spare=60)
    assert done.returncode == 1
    assert "DeviceError: tokenising 900,000 characters takes about 225 MB of memory, " in done.stderr


def test_short_texts_are_not_held_up_by_a_look_at_the_memory(
    classifier: TokenClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(needed: int, what: str) -> None:
        raise DeviceError(f"no memory for {what}")

    monkeypatch.setattr(tokenize_module, "require_memory", full)
    classifier.predict_batch(["oil leak"] * 100)
    with pytest.raises(DeviceError, match="no memory for tokenising 50,001 characters"):
        classifier.predict("x" * 50_001)
