"""Bundles of each schema, and of later ones: read, or refused with the reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import Decoding, TokenClassifier
from edgener_runtime.bundle.manifest import Manifest, read_manifest
from edgener_runtime.bundle.schema import MINIMUM_RUNTIME, SCHEMA_VERSION
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import BundleError
from edgener_runtime.version import __version__, version_numbers

HERE = Path(__file__).parent
FIXTURES = {1: HERE / "bundles" / "schema-1", 2: HERE / "bundles" / "schema-2", 3: HERE / "bundle"}

pytestmark = pytest.mark.compat


def test_each_schema_has_a_bundle_in_the_tests() -> None:
    assert set(FIXTURES) == set(range(1, SCHEMA_VERSION + 1)), "keep a copy of runtime/tests/bundle in bundles/schema-N"
    for version, folder in FIXTURES.items():
        assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["schema_version"] == version


@pytest.mark.parametrize("version", FIXTURES)
def test_a_bundle_of_this_schema_and_of_those_before_runs(version: int, golden: list[dict[str, Any]]) -> None:
    folder = FIXTURES[version]
    assert verify_bundle(folder).schema_version == version
    with TokenClassifier.load(folder, "cpu", "fp32") as classifier:
        for case in golden[:12]:
            found = [(e.label, e.start, e.end) for e in classifier.predict(case["text"], Decoding("simple"))]
            assert found == [tuple(entity[:3]) for entity in case["entities"]["simple"]]


def test_a_bundle_of_schema_1_has_the_defaults_of_what_was_added(manifest: Manifest) -> None:
    old = read_manifest(FIXTURES[1])
    assert (old.scheme, old.outside, old.architecture, old.untested) == ("IOB2", "O", None, False)
    assert (old.critical, old.minimum_runtime) == ((), MINIMUM_RUNTIME)
    assert old.tokenizer.embeddings is None
    tokenizer = replace(old.tokenizer, embeddings=407)
    new = replace(old, schema_version=2, architecture="bert", tokenizer=tokenizer)
    assert new == read_manifest(FIXTURES[2])
    files = tuple(replace(entry, optional=entry.path != "tokenizer.json") for entry in old.files)
    assert replace(new, schema_version=3, files=files, references=manifest.references) == manifest


@pytest.mark.parametrize("below", [(), ("tokenizer",), ("variants", 0), ("variants", 1, "parity"), ("files", 0)])
def test_a_field_of_a_later_version_is_ignored(
    below: tuple[str | int, ...], edit: Callable[..., Path], manifest: Manifest
) -> None:
    read = verify_bundle(edit(*below, adapter={"rank": 8}, colour=None))
    assert replace(read, references=manifest.references) == manifest


@pytest.mark.parametrize("known", ["scheme", "tokenizer.stride", "variants.needs.providers", "variants.parity.f1"])
def test_a_critical_field_that_is_known_does_not_stop_it(known: str, edit: Callable[..., Path]) -> None:
    assert verify_bundle(edit(critical=[known])).critical == (known,)


@pytest.mark.parametrize(
    "unknown", ["adapter", "tokenizer.lowercase", "variants.file.chunks", "schema_version.x", "provenance.x", "", "a.b"]
)
def test_a_critical_field_that_is_not_known_is_refused_by_its_name(unknown: str, edit: Callable[..., Path]) -> None:
    with pytest.raises(BundleError) as raised:
        verify_bundle(edit(critical=["scheme", unknown, "adapter2"], adapter=1))
    assert raised.value.message.endswith(f"does not know: {unknown}, adapter2")
    assert raised.value.hint is not None and raised.value.hint.startswith("Update edgener-runtime, or export ")


@pytest.mark.parametrize("critical", ["adapter", [1], {"adapter": 1}, None])
def test_critical_fields_that_are_not_a_list_of_names_are_refused(critical: Any, edit: Callable[..., Path]) -> None:
    with pytest.raises(BundleError, match="critical"):
        read_manifest(edit(critical=critical))


@pytest.mark.parametrize("minimum", ["99", "0.1.1", "0.2.0rc1", "1.0.0.dev3", "latest", ""])
def test_a_bundle_that_needs_a_later_runtime_is_refused(
    minimum: str, edit: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgener_runtime.bundle.schema.__version__", "0.1.0")
    with pytest.raises(BundleError) as raised:
        read_manifest(edit(minimum_runtime=minimum))
    assert f"needs edgener-runtime {minimum} or later; this is 0.1.0" in raised.value.message
    assert raised.value.hint is not None and raised.value.hint.startswith(f"Update edgener-runtime to {minimum} or")


@pytest.mark.parametrize("here", ["0.2.0", "0.2.0rc1", "0.2.0+local.1", "0.10.0", "1"])
def test_a_bundle_that_needs_this_runtime_or_an_earlier_one_is_read(
    here: str, edit: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgener_runtime.bundle.schema.__version__", here)
    assert read_manifest(edit(minimum_runtime="0.2.0")).minimum_runtime == "0.2.0"


def test_a_later_schema_is_refused_with_the_runtime_that_reads_it(edit: Callable[..., Path]) -> None:
    with pytest.raises(BundleError, match=f"version {SCHEMA_VERSION + 1}; this edgener-runtime reads 1 to 3") as raised:
        read_manifest(edit(schema_version=SCHEMA_VERSION + 1, minimum_runtime="7.1.0", variants="of another form"))
    assert raised.value.hint is not None and "Update edgener-runtime to 7.1.0 or later" in raised.value.hint


def test_the_command_refuses_with_the_exit_code_of_bundles(run: Callable[..., Any], edit: Callable[..., Path]) -> None:
    done = run("predict", edit(critical=["adapter"]), "Pump leaks")
    assert (done.code, done.out) == (5, "")
    assert "does not know: adapter" in done.err and "Update edgener-runtime" in done.err


def test_versions_are_compared_by_number() -> None:
    assert version_numbers("0.10.0") > version_numbers("0.9.9") > version_numbers("0.9")
    assert version_numbers("1.2.3rc1") == version_numbers("1.2.3+cpu") == (1, 2, 3)


def test_the_minimum_is_not_later_than_this_runtime(manifest: Manifest) -> None:
    assert version_numbers(manifest.minimum_runtime) <= version_numbers(__version__)


def test_the_fixture_of_schema_1_is_whole(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(FIXTURES[1], tmp_path / "copy"))
    (copy / "tokenizer.json").write_bytes((copy / "tokenizer.json").read_bytes() + b" ")
    with pytest.raises(BundleError, match=r"tokenizer\.json has"):
        verify_bundle(copy)
