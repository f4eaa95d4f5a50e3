"""A slim bundle: complete for its variant, byte for byte the files of the whole, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.bundle.slim import kept_variants, slim
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import BundleError, UserInputError

from .mutations import relist

pytestmark = pytest.mark.compat


def names(bundle: Path) -> set[str]:
    return {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}


def test_it_has_the_variant_and_no_more_and_answers_as_the_whole(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "slim"
    assert [entry.name for entry in slim(bundle, "fp32", out).variants] == ["fp32"]
    assert names(out) == {"manifest.json", "tokenizer.json", "variants/fp32.json", "variants/fp32.onnx"}
    assert all((out / name).read_bytes() == (bundle / name).read_bytes() for name in names(out))
    with TokenClassifier.load(bundle, "cpu", "fp32") as whole, TokenClassifier.load(out, "cpu") as small:
        assert small.variant.name == "fp32"
        assert small.predict("Pump P-101 leaks") == whole.predict("Pump P-101 leaks")


def test_signatures_stay_beside_the_manifest_that_they_sign(copy: Path, tmp_path: Path) -> None:
    for name in ("manifest.json.sig", "manifest.json.factory.sig"):
        (copy / name).write_text(name)
    slim(copy, "int8-dynamic", tmp_path / "slim")
    assert {"manifest.json.sig", "manifest.json.factory.sig"} < names(tmp_path / "slim")
    verify_bundle(copy)


@pytest.mark.parametrize(
    "name",
    ["x.sig", "variants/manifest.json.sig", "manifest.json.a/b.sig", "manifest.json.sig.x", "manifest.json.sig\n"],
)
def test_a_file_that_is_only_called_like_a_signature_is_not_listed(name: str, copy: Path) -> None:
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_text("")
    with pytest.raises(BundleError, match="is not listed"):
        verify_bundle(copy)


@pytest.fixture
def native(edit: Callable[..., Path], copy: Path) -> Path:
    """The bundle with FP32, and the other variant in need of operators."""
    edit("variants", 0, "needs", operators=1)
    return copy


def test_a_variant_with_operators_of_its_own_keeps_one_without(native: Path) -> None:
    assert kept(native, "int8-dynamic") == ["int8-dynamic", "fp32"]
    assert kept(native, "fp32") == ["fp32"]


def kept(bundle: Path, variant: str) -> list[str]:
    """What slim keeps, by name; the graph of the test bundle has no such operators."""
    return [entry.name for entry in kept_variants(read_manifest(bundle), variant)]


def test_a_slim_bundle_can_be_slimmed_and_names_what_it_lost(bundle: Path, tmp_path: Path) -> None:
    slim(bundle, "fp32", tmp_path / "once")
    slim(tmp_path / "once", "fp32", tmp_path / "twice")
    assert names(tmp_path / "once") == names(tmp_path / "twice")
    with pytest.raises(UserInputError, match="has no variant 'int8-dynamic' any more: it was slimmed"):
        slim(tmp_path / "once", "int8-dynamic", tmp_path / "other")


@pytest.mark.parametrize("name", ["tokenizer.json", "variants/fp32.json", "variants/fp32.onnx"])
def test_a_slim_bundle_without_one_of_its_files_is_refused(name: str, bundle: Path, tmp_path: Path) -> None:
    slim(bundle, "fp32", tmp_path / "slim")
    (tmp_path / "slim" / name).unlink()
    with pytest.raises(BundleError):
        verify_bundle(tmp_path / "slim")


@pytest.mark.parametrize("name", ["variants/int8-dynamic.json", "variants/int8-dynamic.onnx", "parity.md"])
def test_a_part_of_what_was_left_out_is_refused(name: str, bundle: Path, tmp_path: Path) -> None:
    slim(bundle, "fp32", tmp_path / "slim")
    (tmp_path / "slim" / name).write_bytes((bundle / name).read_bytes())
    with pytest.raises(BundleError, match=r"is missing|is not listed"):
        verify_bundle(tmp_path / "slim")


@pytest.mark.parametrize("name", ["manifest.json", "variants/fp32.json", "variants/fp32.onnx", "tokenizer.json"])
def test_of_a_damaged_bundle_nothing_is_written(name: str, copy: Path, tmp_path: Path) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(BundleError):
        slim(copy, "fp32", tmp_path / "slim")
    assert not (tmp_path / "slim").exists()


def test_a_bundle_of_an_earlier_schema_cannot_be_slimmed(tmp_path: Path) -> None:
    old = Path(__file__).parents[1] / "bundles" / "schema-2"
    with pytest.raises(UserInputError, match="of schema 2 has one manifest for all") as raised:
        slim(old, "fp32", tmp_path / "slim")
    assert raised.value.hint is not None and "edgener export" in raised.value.hint


def test_the_command_says_what_it_kept(bundle: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    done = run("slim", bundle, "--variant", "int8-dynamic", "--out", tmp_path / "slim")
    assert done.code == 0 and done.out.splitlines()[0] == "int8-dynamic\t0.1 MB"
    assert run("verify", tmp_path / "slim").out.endswith(": 3 files, all as in the manifest\n")
    done = run("slim", bundle, "--variant", "int9", "--out", tmp_path / "other")
    assert done.code == 2 and "has no variant 'int9'" in done.err


# --- what was measured


@pytest.fixture
def timed(copy: Path) -> Path:
    """The bundle with measured.json, in which FP32 is the fastest and runs with another option."""
    (copy / "report.html").write_text("3 ms")
    root = copy / "manifest.json"
    root.write_text(json.dumps(json.loads(root.read_text()) | {"measured": "measured.json"}))
    data = b"3 ms"
    record = {
        "manifest": hashlib.sha256(root.read_bytes()).hexdigest(),
        "variants": [
            {"name": "fp32", "disabled_optimizers": ["SkipLayerNormFusion"], "speed": None},
            {"name": "int8-dynamic", "disabled_optimizers": []},
        ],
        "files": [
            {"path": "report.html", "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "optional": True}
        ],
    }
    (copy / "measured.json").write_text(json.dumps(record))
    return copy


def test_what_was_measured_sets_order_and_options(timed: Path, tmp_path: Path) -> None:
    for bundle in (timed, tmp_path / "slim"):
        if bundle != timed:
            slim(timed, "fp32", bundle)
        first = verify_bundle(bundle).variants[0]
        assert (first.name, first.disabled_optimizers) == ("fp32", ("SkipLayerNormFusion",))
    assert names(tmp_path / "slim") == {
        "manifest.json", "measured.json", "tokenizer.json", "variants/fp32.json", "variants/fp32.onnx",
    }  # fmt: skip


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda b: (b / "measured.json").unlink(), r"measured\.json is missing"),
    "of another bundle": (lambda b: replaced(b, "manifest", "0" * 64), r"measured\.json belongs to another manifest"),
    "a key twice": (lambda b: doubled(b), r"measured\.json is damaged: the key \"files\" stands twice"),
    "a file outside": (lambda b: listed(b, "../x"), "names a file outside the bundle"),
    "a changed report": (lambda b: (b / "report.html").write_text("1 ms"), r"report\.html was changed"),
    "its report alone missing": (lambda b: (b / "report.html").unlink(), r"report\.html is missing"),
    "an escape": (lambda b: listed(b, "\x1b[2J"), r"has the character U\+001B"),
}


def replaced(bundle: Path, field: str, value: object) -> None:
    file = bundle / "measured.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: value}))


def doubled(bundle: Path) -> None:
    file = bundle / "measured.json"
    file.write_text(file.read_text()[:-1] + ', "files": []}')


def listed(bundle: Path, path: str) -> None:
    replaced(bundle, "files", [{"path": path, "sha256": "0" * 64, "size": 1}])


@pytest.mark.parametrize("name", FAULTS)
def test_measurements_that_are_not_those_of_the_bundle_are_refused(name: str, timed: Path) -> None:
    fault, expected = FAULTS[name]
    fault(timed)
    with pytest.raises(BundleError, match=expected):
        verify_bundle(timed)


def test_measurements_that_the_root_does_not_name_are_not_listed(timed: Path) -> None:
    root = timed / "manifest.json"
    root.write_text(json.dumps(json.loads(root.read_text()) | {"measured": None}))
    with pytest.raises(BundleError, match="is not listed"):
        verify_bundle(timed)


@pytest.mark.parametrize("path", ["../measured.json", "/etc/passwd", "speeds.json", ""])
def test_measurements_have_one_name(path: str, edit: Callable[..., Path]) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json\.measured: found .*, expected \"measured\.json\""):
        read_manifest(edit(measured=path))


@pytest.mark.parametrize("path", ["../x.json", "variants/fp32.onnx", "variants/int8-dynamic.json", "/etc/passwd"])
def test_a_variants_manifest_stands_where_its_name_says(path: str, copy: Path) -> None:
    root = copy / "manifest.json"
    record = json.loads(root.read_text())
    record["variants"][1]["manifest"]["path"] = path
    root.write_text(json.dumps(record))
    with pytest.raises(BundleError, match=r"manifest\.json\.variants\[1\]\.manifest\.path: found"):
        read_manifest(copy)


def test_files_of_a_variant_are_part_of_it(edit: Callable[..., Path], tmp_path: Path) -> None:
    """As its golden answers."""
    data = b"{}"
    entry = {"path": "variants/fp32.golden.json", "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    bundle = edit("variants", 1, files=[entry])
    with pytest.raises(BundleError, match=r"golden\.json is missing"):
        verify_bundle(bundle)
    (bundle / entry["path"]).write_bytes(data)
    slim(bundle, "fp32", tmp_path / "fp32")
    slim(bundle, "int8-dynamic", tmp_path / "int8")
    assert entry["path"] in names(tmp_path / "fp32") and entry["path"] not in names(tmp_path / "int8")


def test_a_bundle_whose_hashes_all_follow_is_whole(copy: Path) -> None:
    (copy / "parity.md").write_text("changed")
    relist(copy)
    verify_bundle(copy)
