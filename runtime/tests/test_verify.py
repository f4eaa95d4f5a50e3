"""A bundle is whole or it is not loaded: each way to damage one ends in exit code 5."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.backends.base import Model
from edgener_runtime.bundle import verify
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.bundle.verify import file_entry, verify_bundle
from edgener_runtime.errors import BundleError
from edgener_runtime.inference import engine

pytestmark = pytest.mark.compat

Damage = Callable[[Path], object]


def test_a_whole_bundle_is_its_manifest(bundle: Path, manifest: Manifest) -> None:
    assert verify_bundle(bundle) == manifest


def test_an_entry_is_a_path_below_the_bundle_with_slashes(bundle: Path, manifest: Manifest) -> None:
    entry = manifest.variant("fp32").file
    assert entry.path == "variants/fp32.onnx"
    assert file_entry(bundle, bundle / "variants" / "fp32.onnx") == entry


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def list_file(bundle: Path, **fields: Any) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    (listed,) = (entry for entry in manifest["files"] if entry["path"] == "parity.json")
    listed.update(fields)
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def mark_critical(bundle: Path, field: str) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"critical": [field]}))


def forget_tokenizer(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"] = [entry for entry in manifest["files"] if entry["path"] != "tokenizer.json"]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    (bundle / "tokenizer.json").unlink()


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a model is missing": (lambda b: (b / "variants" / "fp32.onnx").unlink(), "fp32.onnx is missing"),
    "the tokenizer is missing": (lambda b: (b / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "a folder is missing": (lambda b: (b / "variants").rename(b.parent / "elsewhere"), ".variants: found [], expected"),
    "a variant without its manifest": (lambda b: (b / "variants" / "fp32.json").unlink(), "fp32.onnx is not listed"),
    "one bit of a variant's manifest": (lambda b: flip_a_bit(b / "variants" / "fp32.json"), "fp32.json was changed"),
    "a report of several": (lambda b: (b / "parity.json").unlink(), "parity.json is missing"),
    "one bit of a model": (lambda b: flip_a_bit(b / "variants" / "fp32.onnx"), "fp32.onnx was changed: SHA-256"),
    "one bit of a report": (lambda b: flip_a_bit(b / "parity.md"), "parity.md was changed"),
    "a model cut short": (lambda b: (b / "variants" / "fp32.onnx").write_bytes(b"\x08"), "has 1 bytes, expected"),
    "a byte more": (lambda b: (b / "parity.md").open("a").write("x"), "parity.md has"),
    "a folder for a file": (lambda b: ((b / "parity.md").unlink(), (b / "parity.md").mkdir()), "parity.md is missing"),
    "an extra file": (lambda b: (b / "run.sh").write_text(""), "run.sh is not listed"),
    "an extra file below": (lambda b: (b / "variants" / "x.onnx").write_text(""), "x.onnx is not listed"),
    "a hidden file": (lambda b: (b / ".x").write_text(""), ".x is not listed"),
    "a dangling link": (lambda b: (b / "link").symlink_to("nowhere"), "link is a link, expected files"),
    "a path above": (lambda b: list_file(b, path="../copy/parity.json"), "names a file outside the bundle"),
    "a path above in the middle": (lambda b: list_file(b, path="variants/../../x"), "names a file outside the bundle"),
    "an absolute path": (lambda b: list_file(b, path="/etc/passwd"), "names a file outside the bundle"),
    "an empty path": (lambda b: list_file(b, path=""), "is missing"),
    "a NUL in a path": (lambda b: list_file(b, path="a\0b"), "has the character U+0000"),
    "another size": (lambda b: list_file(b, size=1), "parity.json has"),
    "another hash": (lambda b: list_file(b, sha256="0" * 64), "parity.json was changed"),
    "no tokenizer listed": (forget_tokenizer, "expected the path of one of the files"),
    "a newer schema": (lambda b: (b / "manifest.json").write_text('{"schema_version": 99}'), "has schema version 99"),
    "half a manifest": (lambda b: (b / "manifest.json").write_text('{"schema_version": 1, "lab'), "is damaged"),
    "an unknown critical field": (lambda b: mark_critical(b, "files.owner"), "does not know: files.owner"),
    "no manifest": (lambda b: (b / "manifest.json").unlink(), "is not a bundle"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_bundle_is_refused(name: str, copy: Path, run: Callable[..., Any]) -> None:
    damage, expected = DAMAGES[name]
    damage(copy)
    with pytest.raises(BundleError) as raised:
        TokenClassifier.load(copy)
    assert expected in raised.value.message

    for command in (["verify", copy], ["predict", copy, "oil leak"]):
        done = run(*command)
        assert (done.code, done.out) == (5, "")
        assert done.err.startswith("error: ") and "Traceback" not in done.err


def test_a_model_is_not_opened_before_its_bytes_were_checked(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flip_a_bit(copy / "variants" / "int8-dynamic.onnx")
    opened: list[Model] = []
    monkeypatch.setattr(engine, "open_session", lambda model, *_: opened.append(model))
    with pytest.raises(BundleError, match=r"int8-dynamic.onnx was changed"):
        TokenClassifier.load(copy, device="cpu")
    assert opened == []


def test_what_was_loaded_is_closed_where_another_file_turns_out_changed(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip_a_bit(copy / "variants" / "fp32.onnx")
    closed: list[TokenClassifier] = []
    monkeypatch.setattr(TokenClassifier, "close", lambda classifier: closed.append(classifier))
    with pytest.raises(BundleError, match=r"fp32.onnx was changed"):
        TokenClassifier.load(copy, device="cpu", variant="int8-dynamic")
    assert [classifier.variant.name for classifier in closed] == ["int8-dynamic"]


def test_threads_that_verified_are_gone(bundle: Path, copy: Path) -> None:
    TokenClassifier.load(bundle, device="cpu").close()
    flip_a_bit(copy / "parity.md")
    with pytest.raises(BundleError):
        verify_bundle(copy)
    assert [thread for thread in threading.enumerate() if "verify" in thread.name] == []


def test_a_file_that_cannot_be_read_is_reported(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def worn_out(path: Path) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(verify, "sha256_of", worn_out)
    with pytest.raises(BundleError, match=r"cannot read .*: Input/output error"):
        verify_bundle(copy)
