"""A graph that does not fit its manifest is refused before onnxruntime opens it, by every command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.bundle import verify
from edgener_runtime.bundle.graph import read_interface
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import BundleError

from .mutations import relist
from .wire_edit import BYTES, Field, changed, decode, encode, message, text, varint

pytestmark = pytest.mark.compat

GRAPH, INPUT, OUTPUT, NODE, WEIGHT = 7, 11, 12, 1, 5
SHAPE, TYPE = [GRAPH, INPUT, 2, 1, 2], [GRAPH, INPUT, 2, 1]
Change = Callable[[bytes], bytes]


def write(bundle: Path, name: str, data: bytes) -> None:
    """A file of the bundle, with its size and hash in the manifest."""
    (bundle / name).write_bytes(data)
    relist(bundle)


def named(path: list[int], name: str) -> Change:
    return lambda data: changed(data, path, lambda fields: [text(1, name), *(f for f in fields if f.number != 1)])


def typed(path: list[int], number: int) -> Change:
    return lambda data: changed(data, path, lambda fields: [varint(1, number), *(f for f in fields if f.number != 1)])


def shaped(path: list[int], *sizes: int | str) -> Change:
    dimensions = [message(1, varint(1, size) if isinstance(size, int) else text(2, size)) for size in sizes]
    return lambda data: changed(data, path, lambda _: dimensions)


def added(path: list[int], *fields: Field) -> Change:
    return lambda data: changed(data, path, lambda found: [*found, *fields])


def without(path: list[int], number: int) -> Change:
    return lambda data: changed(data, path, lambda fields: [field for field in fields if field.number != number])


def outside(location: str, number: int = 8, *, name: str = "weights of elsewhere") -> list[Field]:
    """The fields of a tensor whose data is in another file."""
    place = message(13, text(1, "location"), text(2, location))
    return [varint(1, 4), varint(2, 1), text(number, name), place, varint(14, 1)]


def attribute(*fields: Field) -> Field:
    return message(5, text(1, "value"), *fields)


ANOTHER = message(INPUT, text(1, "more"), message(2, message(1, varint(1, 7))))
ELSEWHERE = "keeps the weight 'weights of elsewhere' in another file"
WRONG: dict[str, tuple[Change, str]] = {
    "another input's name": (named([GRAPH, INPUT], "tokens"), "has the inputs tokens, attention_mask, "),
    "another output's name": (named([GRAPH, OUTPUT], "scores"), "has the outputs scores; expected logits"),
    "an input too many": (added([GRAPH], ANOTHER), "token_type_ids, more; by the manifest it has input_ids, "),
    "no inputs": (without([GRAPH], INPUT), "has the inputs (none); by the manifest it has"),
    "no outputs": (without([GRAPH], OUTPUT), "has the outputs (none); expected logits"),
    "numbers with a point": (typed(TYPE, 1), "has the input input_ids of float32 [any, any]; expected int64"),
    "32 bits": (typed(TYPE, 6), "has the input input_ids of int32"),
    "an unknown type": (typed(TYPE, 99), "has the input input_ids of type 99"),
    "whole numbers as logits": (typed([GRAPH, OUTPUT, 2, 1], 7), "has the output logits of int64 [any, any, 15]"),
    "one text's subwords": (shaped(SHAPE, "n"), "has the input input_ids of int64 [any]"),
    "rank 3": (shaped(SHAPE, "n", "m", 2), "has the input input_ids of int64 [any, any, 2]"),
    "one text at once": (shaped(SHAPE, 1, "n"), "takes 1 texts at once in its input input_ids"),
    "a fixed length": (shaped(SHAPE, "n", 16), "takes 16 subwords in its input input_ids; expected any number up to"),
    "a label for each text": (shaped([GRAPH, OUTPUT, 2, 1, 2], "n", 15), "has the output logits of float32 [any, 15]"),
    "another number of labels": (shaped([GRAPH, OUTPUT, 2, 1, 2], "n", "m", 9), "scores 9 labels; the manifest has 15"),
    "fewer positions": (
        lambda data: data.replace(*position_table(data, 8)),
        "has embeddings for 8 positions; the manifest's max_length is 64",
    ),
    "a weight of a terabyte": (
        added([GRAPH], message(WEIGHT, varint(1, 2**38), varint(2, 1), text(8, "large"))),
        "has the sizes [274877906944] for the weight 'large', and ",
    ),
    "a weight of less than nothing": (
        added([GRAPH], message(WEIGHT, varint(1, -1), varint(2, 1), text(8, "small"))), "for the weight 'small', and ",
    ),
    "no graph": (lambda data: encode([field for field in decode(data) if field.number != GRAPH]), "there is no graph"),
    "half a graph": (lambda data: data[: len(data) // 2], "does not end within its message"),
    "nothing": (lambda data: b"", "there is no graph in it"),
    "another format": (lambda data: b"{}" * 100, "cannot be read as an ONNX graph"),
    "a weight elsewhere": (added([GRAPH], message(WEIGHT, *outside("/etc/passwd"))), ELSEWHERE),
    "a weight above": (added([GRAPH], message(WEIGHT, *outside("../secret"))), ELSEWHERE),
    "a weight in memory": (added([GRAPH], message(WEIGHT, *outside("*/_ORT_MEM_ADDR_/*"))), ELSEWHERE),
    "a weight beside it": (added([GRAPH], message(WEIGHT, *outside("fp32.onnx"))), ELSEWHERE),
    "a constant elsewhere": (added([GRAPH, NODE], attribute(message(5, *outside("/etc/passwd")))), ELSEWHERE),
    "constants elsewhere": (added([GRAPH, NODE], attribute(message(10, *outside("/etc/passwd")))), ELSEWHERE),
    "a sparse weight elsewhere": (added([GRAPH], message(15, message(2, *outside("/etc/passwd")))), ELSEWHERE),
    "a branch's weight elsewhere": (
        added([GRAPH, NODE], attribute(message(6, message(WEIGHT, *outside("/etc/passwd"))))), ELSEWHERE,
    ),
    "a branch's branch's constant elsewhere": (
        added([GRAPH, NODE], attribute(message(11, message(NODE, attribute(
            message(6, message(NODE, attribute(message(5, *outside("x")))))))))), ELSEWHERE,
    ),
    "a function's constant elsewhere": (
        lambda data: data + encode([message(25, message(7, attribute(message(5, *outside("x")))))]), ELSEWHERE,
    ),
    "a second graph with a weight elsewhere": (
        lambda data: data + encode([message(GRAPH, message(WEIGHT, *outside("x")))]), ELSEWHERE,
    ),
}  # fmt: skip


def position_table(data: bytes, rows: int) -> tuple[bytes, bytes]:
    """The table of positions as it is and with another number of rows."""
    graph = next(field for field in decode(data) if field.number == GRAPH)
    table = next(f.data for f in decode(graph.data) if f.number == WEIGHT and b"position_embeddings.weight" in f.data)
    other = encode([replace(field, value=rows) if field == varint(1, 64) else field for field in decode(table)])
    if table == other:  # packed
        other = table.replace(encode([Field(1, BYTES, data=b"\x40\x20")]), encode([Field(1, BYTES, data=b"\x08\x20")]))
    assert len(other) == len(table) and other != table
    return table, other


@pytest.mark.parametrize("name", WRONG)
def test_a_graph_that_does_not_fit_is_refused(name: str, copy: Path, run: Callable[..., Any]) -> None:
    change, expected = WRONG[name]
    file = "variants/fp32.onnx"
    write(copy, file, change((copy / file).read_bytes()))
    with pytest.raises(BundleError) as raised:
        TokenClassifier.load(copy, "cpu", "fp32")
    assert expected in raised.value.message and str(copy / file) in raised.value.message and raised.value.hint
    for command in (["verify", copy], ["predict", copy, "oil leak", "--variant", "fp32"]):
        done = run(*command)
        assert (done.code, done.out) == (5, "") and expected in done.err


def test_a_selftest_reports_a_graph_that_does_not_fit(copy: Path, run: Callable[..., Any]) -> None:
    file = "variants/fp32.onnx"
    write(copy, file, WRONG["32 bits"][0]((copy / file).read_bytes()))
    done = run("selftest", copy, "--device", "cpu")
    assert done.code == 5 and "has the input input_ids of int32" in done.out + done.err


def test_a_variant_that_is_not_loaded_does_not_stop_another(copy: Path) -> None:
    file = "variants/fp32.onnx"
    write(copy, file, WRONG["32 bits"][0]((copy / file).read_bytes()))
    TokenClassifier.load(copy, "cpu", "int8-dynamic").close()


def test_weights_that_stand_among_the_inputs_are_no_inputs(copy: Path) -> None:
    """As files of before 2019 have it."""
    weight = message(INPUT, text(1, "model.bert.embeddings.word_embeddings.weight"))
    data = added([GRAPH], weight)((copy / "variants" / "fp32.onnx").read_bytes())
    assert [value.name for value in read_interface(data).inputs] == ["input_ids", "attention_mask", "token_type_ids"]


MANY = {
    "numbers": b"\x08\x01" * 600_000,
    "nodes": encode([Field(GRAPH, BYTES, data=b"\x0a\x00" * 600_000)]),
}


@pytest.mark.parametrize("name", MANY)
def test_fields_beyond_those_of_any_model_are_refused_in_a_moment(name: str, bundle: Path) -> None:
    """Millions of two bytes each would take minutes."""
    data = (bundle / "variants" / "fp32.onnx").read_bytes()
    with pytest.raises(ValueError, match="a message of more than 500,000 fields"):
        read_interface(data + MANY[name])


@pytest.mark.parametrize("length", range(0, 3000, 7))
def test_bytes_that_are_cut_off_are_never_more_than_a_value_error(length: int, bundle: Path) -> None:
    data = (bundle / "variants" / "fp32.onnx").read_bytes()[-length:]
    try:
        read_interface(data)
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize("name", ["parity.md", "variants/fp32.onnx", "tokenizer.json", "variants", "manifest.json"])
def test_a_link_in_a_bundle_is_refused(name: str, copy: Path, run: Callable[..., Any]) -> None:
    """It leads to the same content, elsewhere."""
    (copy / name).rename(copy.parent / "elsewhere")
    (copy / name).symlink_to(copy.parent / "elsewhere")
    for command in (["verify", copy], ["predict", copy, "oil leak"]):
        done = run(*command)
        assert (done.code, done.out) == (5, "") and f"{name} is a link" in done.err


def test_a_link_to_a_bundle_is_followed(copy: Path) -> None:
    """Devices switch between versions by a link."""
    (copy.parent / "current").symlink_to(copy)
    assert verify_bundle(copy.parent / "current").name == "tiny-factory"


def test_what_was_hashed_is_what_runs_whatever_is_written_meanwhile(
    copy: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is overwritten in place as soon as it was read."""
    read = verify.read_verified

    def read_and_overwrite(folder: Path, entry: Any) -> bytes:
        data = read(folder, entry)
        (folder / entry.path).write_bytes(b"\0" * len(data))
        return data

    with TokenClassifier.load(bundle, "cpu", "fp32") as classifier:
        expected = classifier.predict("oil leak at pump P-101")
    monkeypatch.setattr(verify, "read_verified", read_and_overwrite)
    with TokenClassifier.load(copy, "cpu", "fp32") as classifier:
        assert classifier.predict("oil leak at pump P-101") == expected
    assert (copy / "variants" / "fp32.onnx").read_bytes().strip(b"\0") == b""


SWAPPED = """
import sys, threading, os, shutil
from pathlib import Path
from edgener_runtime import TokenClassifier
from edgener_runtime.errors import EdgenerError
bundle, other = Path(sys.argv[1]), sys.argv[2]
file, stop = bundle / "variants" / "fp32.onnx", threading.Event()
good, bad = file.read_bytes(), Path(other).read_bytes()
def swap():
    while not stop.is_set():
        for data in (bad, good):
            staged = file.with_name("staged")
            staged.write_bytes(data)
            staged.rename(file)
thread = threading.Thread(target=swap)
thread.start()
answers, refused = set(), 0
for _ in range(60):
    try:
        with TokenClassifier.load(bundle, "cpu", "fp32", threads=1) as classifier:
            answers.add(str(classifier.predict("oil leak at pump P-101")))
    except EdgenerError:
        refused += 1
stop.set()
thread.join()
print(len(answers), refused)
"""


def test_a_file_that_is_replaced_again_and_again_is_never_run_unless_it_is_the_listed_one(
    copy: Path, bundle: Path, tmp_path: Path
) -> None:
    """The other file is a graph too, of the same size, whose answers differ."""
    data = bytearray((bundle / "variants" / "fp32.onnx").read_bytes())
    table = data.find(b"classifier.bias")
    assert table > 0
    for at in range(table + 40, table + 41):
        data[at] ^= 0xFF
    (tmp_path / "other").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", SWAPPED, str(copy), str(tmp_path / "other")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    answers, refused = map(int, done.stdout.split())
    assert answers <= 1 and answers + refused > 0
