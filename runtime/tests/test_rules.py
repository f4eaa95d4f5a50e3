"""A manifest that no bundle can have is refused with the field, what was found and what was expected."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.base.printable import escaped, unsafe_character
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.bundle.stored import MOST_BYTES
from edgener_runtime.bundle.verify import file_entry, verify_bundle
from edgener_runtime.errors import BundleError

pytestmark = pytest.mark.compat

ESC = "\x1b[31m"
IDS = ["input_ids", "attention_mask"]
WRONG: dict[str, tuple[tuple[str | int, ...], dict[str, Any], str]] = {
    "no labels": ((), {"labels": []}, ".labels: found [], expected at least one"),
    "a label twice": ((), {"labels": ["O", "B-A", "B-A"]}, '.labels[2]: found "B-A", expected another name than that'),
    "a blank label": ((), {"labels": ["O", " "]}, '.labels[1]: found " ", expected a name'),
    "no variants": ((), {"variants": []}, ".variants: found [], expected at least one"),
    "another variant's name": (("variants", 0), {"name": "fp32"}, '.name: found "fp32", expected "int8-dynamic"'),
    "no length": (("tokenizer",), {"max_length": 0}, ".tokenizer.max_length: found 0, expected 1 to"),
    "a huge length": (("tokenizer",), {"max_length": 10**40}, ".tokenizer.max_length: found 1000"),
    "a negative stride": (("tokenizer",), {"stride": -1}, ".tokenizer.stride: found -1, expected 0 to"),
    "a negative id": (("tokenizer",), {"pad_id": -1}, ".tokenizer.pad_id: found -1"),
    "an id without embedding": (("tokenizer",), {"pad_id": 407}, "found 407, expected an id below the 407 embeddings"),
    "no embeddings": (("tokenizer",), {"embeddings": 0}, ".tokenizer.embeddings: found 0"),
    "an unknown input": (("tokenizer",), {"inputs": [*IDS, "pixels"]}, '.tokenizer.inputs: found ["input_ids"'),
    "an input twice": (("tokenizer",), {"inputs": [*IDS, IDS[0]]}, ".tokenizer.inputs: found"),
    "no inputs": (("tokenizer",), {"inputs": []}, ".tokenizer.inputs: found []"),
    "case without its input": (("tokenizer",), {"inputs": IDS}, "expected token_type_ids, which have the case"),
    "no providers": (("variants", 1, "needs"), {"providers": []}, "fp32.json.needs.providers: found []"),
    "not a version": (("variants", 1, "needs"), {"onnxruntime": "new"}, '.needs.onnxruntime: found "new", expected'),
    "a version with a command": (
        ("variants", 1, "needs"), {"onnxruntime": "1.23; rm -rf /"}, '.needs.onnxruntime: found "1.23; rm -rf /"',
    ),
    "a variant's name of another folder": (("variants", 0), {"name": "../../x"}, '.name: found "../../x", expected'),
    "a variant named as the choice of one": (("variants", 0), {"name": "auto"}, '.name: found "auto", expected'),
    "a version of thousands of digits": (("variants", 1, "needs"), {"onnxruntime": "1." + "9" * 5000}, "a version"),
    "a runtime of thousands of digits": ((), {"minimum_runtime": "9" * 5000}, "needs edgener-runtime 999"),
    "no opset": (("variants", 1), {"opset": 0}, "fp32.json.opset: found 0"),
    "half an interval": (("variants", 1, "parity"), {"churn_interval": [0.5]}, "expected a list of 2, found one of 1"),
    "a number beyond floats": (("variants", 1, "parity"), {"churn": 10**400}, ".parity.churn: expected a number"),
    "not a hash": (("variants", 1, "file"), {"sha256": "f" * 63}, "expected a SHA-256"),
    "a negative size": (("variants", 1, "file"), {"size": -1}, "expected a SHA-256"),
    "a graph too large for protobuf": (("variants", 1, "file"), {"size": 2**31}, "at most 2,147,483,647 bytes"),
    "a report too large to read": (("files", 0), {"path": "x.json", "size": 2**31}, "x.json: found 2147483648"),
    "a tokenizer that is not listed": (("tokenizer",), {"file": "../x"}, '.tokenizer.file: found "../x", expected the'),
    "brackets too deep": ((), {"provenance": {"x": json.loads("[" * 200 + "]" * 200)}}, "more than 64 deep"),
    "an escape in the name": ((), {"name": f"{ESC}x"}, '.name: "\\u001b[31mx" has the character U+001B'),
    "an override in a label": ((), {"labels": ["O", "B-\u202eA"]}, '.labels[1]: "B-\\u202eA" has the character U+202E'),
    "an isolate in a variant": (("variants", 0), {"precision": "\u2066x"}, "has the character U+2066"),
    "a line break in a label": ((), {"labels": ["O", "B-A\nx"]}, "has the character U+000A"),
    "a separator of lines": ((), {"outside": "O\u2028"}, "has the character U+2028"),
    "a C1 control": ((), {"architecture": "bert\x9b2J"}, "has the character U+009B"),
    "half a surrogate pair": ((), {"name": "\ud800"}, "has the character U+D800"),
    "an escape in a file's name": (("files", 0), {"path": f"diff/{ESC}"}, "has the character U+001B"),
    "an escape in a key": (("variants", 0, "proven", 0), {"versions": {ESC: "1"}}, "has the character U+001B"),
    "an escape in a later version": ((), {"minimum_runtime": f"99.0{ESC}"}, "needs edgener-runtime 99.0\\u001b[31m"),
    "an escape in a critical field": ((), {"critical": [f"x{ESC}"]}, "does not know: x\\u001b[31m"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_field_that_no_bundle_can_have_is_refused(
    name: str, edit: Callable[..., Path], run: Callable[..., Any]
) -> None:
    below, fields, expected = WRONG[name]
    bundle = edit(*below, **fields)
    with pytest.raises(BundleError) as raised:
        TokenClassifier.load(bundle)
    assert expected in raised.value.message and raised.value.hint
    for command in (["verify", bundle], ["predict", bundle, "oil leak"]):
        done = run(*command)
        assert (done.code, done.out) == (5, "")
        assert done.err.startswith("error: ") and unsafe_character(done.err.replace("\n", "")) is None


LITERALS = {
    "a key twice": ('"name":', '"name":"other","name":', 'the key "name" stands twice in an object'),
    "a key twice inside": ('"stride":', '"stride":3,"stride":', 'the key "stride" stands twice'),
    "a key with an escape": ('"labels":', '"l\\u0061bels":["O"],"labels":', 'the key "labels" stands twice'),
    "a key twice in a variant's": ('"opset":', '"opset":3,"opset":', 'the key "opset" stands twice'),
    "not a number": ('"churn":0,', '"churn":NaN,', "NaN is not a number of JSON"),
    "infinite": ('"churn":0,', '"churn":-Infinity,', "-Infinity is not a number of JSON"),
    "a number too large": ('"churn":0,', '"churn":1e999,', "the number 1e999 is too large"),
    "not finite where nothing reads it": ('"provenance":{', '"provenance":{"x":[NaN],', "NaN is not a number"),
}  # fmt: skip


@pytest.mark.parametrize("name", LITERALS)
def test_json_with_two_meanings_or_none_is_refused(name: str, copy: Path) -> None:
    old, new, expected = LITERALS[name]
    root, variant = copy / "manifest.json", copy / "variants" / "fp32.json"
    file = root if old in root.read_text(encoding="utf-8") else variant
    text, before = file.read_text(encoding="utf-8"), file_entry(copy, variant)
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    after = file_entry(copy, variant)
    root.write_text(root.read_text(encoding="utf-8").replace(before.sha256, after.sha256), encoding="utf-8")
    with pytest.raises(BundleError) as raised:
        read_manifest(copy)
    assert expected in raised.value.message and f"{file} is damaged" in raised.value.message


def test_a_file_with_two_entries_that_differ_is_refused(copy: Path) -> None:
    record = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    (entry,) = (entry for entry in record["files"] if entry["path"] == "tokenizer.json")
    record["files"].append(entry)
    (copy / "manifest.json").write_text(json.dumps(record))
    read_manifest(copy)  # the same again
    record["files"].append(entry | {"sha256": "0" * 64})
    (copy / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(BundleError, match=r"the entry of tokenizer\.json: found .*, expected one entry"):
        read_manifest(copy)


@pytest.mark.parametrize("kind", ["pipe", "device", "padding", "holes"])
def test_a_manifest_without_an_end_is_refused_at_once(kind: str, copy: Path, run: Callable[..., Any]) -> None:
    """A pipe would wait for its writer, and the others fill the memory."""
    if kind == "device" and not Path("/dev/zero").is_char_device():
        pytest.skip("this system has no /dev/zero")
    file = copy / "manifest.json"
    content = file.read_bytes()
    if kind in ("pipe", "device"):
        file.unlink()
    {
        "pipe": lambda: os.mkfifo(file),
        "device": lambda: file.symlink_to("/dev/zero"),
        "padding": lambda: file.write_bytes(content + b" " * MOST_BYTES),
        "holes": lambda: os.truncate(file, 3_000_000_000),
    }[kind]()
    for command in (["verify", copy], ["predict", copy, "oil leak"]):
        done = run(*command)
        assert (done.code, done.out) == (5, "") and "manifest.json is damaged: found " in done.err
        assert "expected a regular file" in done.err or "expected at most 16,777,216" in done.err


def test_a_manifest_of_very_many_names_is_read_in_a_moment(edit: Callable[..., Path]) -> None:
    """Time that grew with their square would be hours."""
    labels = ["O", *(f"B-{number}" for number in range(200_000))]
    assert len(read_manifest(edit(labels=labels)).labels) == 200_001
    file = edit(labels=labels) / "manifest.json"
    keys = ",".join(f'"k{number}":1' for number in [*range(200_000), 199_999])
    file.write_text(file.read_text()[:-1] + ',"x":{' + keys + "}}")
    with pytest.raises(BundleError, match=r"the key \"k199999\" stands twice"):
        read_manifest(file.parent)


def test_the_same_graph_for_very_many_variants_is_verified_once(tmp_path: Path) -> None:
    """In schema 2, in which manifest.json has the variants inside."""
    copy = Path(shutil.copytree(Path(__file__).parent / "bundles" / "schema-2", tmp_path / "copy"))
    record = json.loads((copy / "manifest.json").read_text())
    first, second = record["variants"]
    first |= {"proven": [], "parity": None, "speed": None}
    record["files"].append(second["file"])
    record["variants"] = [first | {"name": f"v{number}"} for number in range(3000)]
    (copy / "manifest.json").write_text(json.dumps(record))
    verify_bundle(copy)


def test_folders_a_thousand_deep_are_no_internal_error(copy: Path, run: Callable[..., Any]) -> None:
    here = os.open(copy, os.O_RDONLY)
    try:
        for _ in range(1200):
            os.mkdir("d", dir_fd=here)
            inner = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        done = run("verify", copy)
    finally:
        os.close(here)
        subprocess.run(["rm", "-r", copy / "d"], check=True)  # Python's own would fail, and pytest's with it
    assert done.code == 0


@pytest.mark.parametrize("field", json.loads((Path(__file__).parent / "bundle" / "manifest.json").read_text("utf-8")))
@pytest.mark.parametrize("value", [None, True, 3, -1.5, "x", [], [3], {}, {"x": 1}, [[]], [{}]], ids=repr)
def test_any_type_in_any_field_is_read_or_refused(field: str, value: Any, edit: Callable[..., Path]) -> None:
    try:
        read_manifest(edit(**{field: value}))
    except BundleError as error:
        assert error.hint


def test_names_of_any_script_are_read(edit: Callable[..., Path]) -> None:
    names = ["O", "B-人名", "B-שם", "B-نام\u200cها", "B-ชื่อ", "B-🏭", "B-e\u0301"]
    assert read_manifest(edit(name="泵房 – مضخة", labels=names)).labels == tuple(names)


def test_names_of_files_elsewhere_are_not_refused_and_shown_with_escapes(
    edit: Callable[..., Path], run: Callable[..., Any]
) -> None:
    record = {"checkpoint": {"Icon\r": "0" * 64, "\x1b]0;x\x07\u202e": "1" * 64}}
    done = run("verify", edit(provenance=record), "--json")
    assert done.code == 0 and json.loads(done.out)["provenance"] == record
    assert unsafe_character(done.out.replace("\n", "")) is None


def test_a_name_that_is_not_listed_is_shown_with_escapes(copy: Path, run: Callable[..., Any]) -> None:
    (copy / "\x1b[2Jx").write_text("")
    done = run("verify", copy)
    assert done.code == 5 and "\\u001b[2Jx is not listed" in done.err and "\x1b" not in done.err


def test_escapes_are_those_of_json() -> None:
    text = "a\x00\x1b\x9b\u2028\u202e\ud800b\n泵"
    assert json.loads(f'"{escaped(text[:-2])}"') == text[:-2]
    assert escaped(text).endswith("b\n泵")
