"""The manifest: read strictly, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.bundle.manifest import SCHEMA_VERSION, Manifest, read_manifest
from edgener_runtime.errors import BundleError, UserInputError


def test_the_manifest_is_what_stands_in_the_bundle(bundle: Path, manifest: Manifest) -> None:
    root = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    merged = json.loads(manifest.to_json())
    assert merged["references"] == root["variants"] and merged["labels"] == root["labels"]
    assert merged["variants"][1]["file"] == json.loads((bundle / "variants" / "fp32.json").read_bytes())["file"]
    assert manifest.schema_version == SCHEMA_VERSION
    assert [variant.name for variant in manifest.variants] == ["int8-dynamic", "fp32"]
    assert manifest.tokenizer.inputs == ("input_ids", "attention_mask", "token_type_ids")


def test_a_variant_is_found_by_its_name(manifest: Manifest) -> None:
    assert manifest.variant("fp32").precision == "fp32"


def test_a_variant_that_is_not_there_is_reported_with_those_that_are(manifest: Manifest) -> None:
    with pytest.raises(UserInputError, match="has no variant 'fp16'") as raised:
        manifest.variant("fp16")
    assert raised.value.hint == "It has: int8-dynamic, fp32."


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"schema_version": SCHEMA_VERSION + 1}, f"has schema version {SCHEMA_VERSION + 1}; this"),
        ({"schema_version": 0}, "has schema version 0"),
        ({"schema_version": None}, "has schema version None"),
        ({"schema_version": "1"}, "has schema version '1'"),
        ({"schema_version": True}, "schema_version: expected a whole number, found true"),
        ({"labels": "O"}, 'manifest.json.labels: expected a list, found "O"'),
        ({"labels": ["O", 1]}, "manifest.json.labels[1]: expected a text, found 1"),
        ({"variants": [{}]}, "manifest.json.variants[0]: field 'name' is missing"),
    ],
)  # fmt: skip
def test_a_field_that_is_not_as_expected_is_reported(
    fields: dict[str, Any], expected: str, edit: Callable[..., Path]
) -> None:
    with pytest.raises(BundleError) as raised:
        read_manifest(edit(**fields))
    assert expected in raised.value.message
    assert raised.value.hint


def test_a_field_inside_is_checked_too(edit: Callable[..., Path]) -> None:
    with pytest.raises(BundleError, match=r"variants/fp32\.json\.file\.size: expected a whole number, found 1\.5"):
        read_manifest(edit("variants", 1, "file", size=1.5))


def test_a_missing_field_is_reported(copy: Path) -> None:
    record = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    del record["tokenizer"]["stride"]
    (copy / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(BundleError, match="field 'stride' is missing"):
        read_manifest(copy)


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"null", b"7", b"\xff\xfe", b"[" * 100_000, b'{"schema_version": 1} x']
)
def test_a_damaged_manifest_is_reported(damage: bytes, copy: Path) -> None:
    (copy / "manifest.json").write_bytes(damage)
    with pytest.raises(BundleError, match="is damaged"):
        read_manifest(copy)


def test_a_manifest_cut_off_anywhere_is_reported(copy: Path) -> None:
    file = copy / "manifest.json"
    data = file.read_bytes().rstrip()
    for length in range(0, len(data), 97):
        file.write_bytes(data[:length])
        with pytest.raises(BundleError):
            read_manifest(copy)


@pytest.mark.parametrize("place", ["nowhere", "", "tokenizer.json"])
def test_a_place_without_a_manifest_is_not_a_bundle(place: str, copy: Path) -> None:
    (copy / "manifest.json").unlink()
    with pytest.raises(BundleError, match="is not a bundle"):
        read_manifest(copy / place)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_manifest_that_is_not_a_file_is_reported_and_not_waited_for(make: Callable[[Path], None], copy: Path) -> None:
    (copy / "manifest.json").unlink()
    make(copy / "manifest.json")
    with pytest.raises(BundleError, match=r"expected a regular file|Is a directory"):
        read_manifest(copy)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("levels", [*range(950, 1000, 5), 20_000])
@pytest.mark.parametrize("field", ["schema_version", "labels", "tokenizer", "name"])
def test_a_manifest_nested_about_as_deep_as_python_reads_is_reported(
    field: str, levels: int, opening: str, closing: str, copy: Path
) -> None:
    file = copy / "manifest.json"
    record = {**json.loads(file.read_text(encoding="utf-8")), field: "deep"}
    file.write_text(json.dumps(record).replace('"deep"', opening * levels + "1" + closing * levels))
    with pytest.raises(BundleError):
        read_manifest(copy)
