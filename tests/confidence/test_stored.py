"""Score settings in a bundle: nothing else changes, and they can be taken out to the byte."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from edgener.bundle.rebuild import compared_files, differences
from edgener.confidence import stored
from edgener.confidence.stored import check_changeable, with_scores, without_scores, write_scores
from edgener_runtime.bundle.manifest import MANIFEST, MEASURED, read_manifest
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.decoding.entity import ScoreSettings
from edgener_runtime.errors import BundleError, UserInputError

COMMITTED = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "bundle"
SETTINGS = ScoreSettings(1.3093, {"ACTION": 0.9573}, "first")
RECORD = {"precision": 0.95}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(COMMITTED, tmp_path / "bundle"))


def contents(bundle: Path) -> dict[str, bytes]:
    return {path.relative_to(bundle).as_posix(): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}


def with_speeds(bundle: Path) -> Path:
    """The bundle with a file of speeds, which names its manifest."""
    root = json.loads((bundle / MANIFEST).read_bytes())
    (bundle / MANIFEST).write_text(json.dumps(root | {"measured": MEASURED}), encoding="utf-8")
    digest = hashlib.sha256((bundle / MANIFEST).read_bytes()).hexdigest()
    (bundle / MEASURED).write_text(json.dumps({"manifest": digest, "variants": [], "files": []}), encoding="utf-8")
    return bundle


def test_only_the_manifest_changes(bundle: Path, tmp_path: Path) -> None:
    manifest = write_scores(bundle, SETTINGS, RECORD, tmp_path / "new")
    assert manifest.scores == SETTINGS and manifest.critical == ("scores",)
    assert manifest.provenance["scores"] == RECORD
    before, after = contents(bundle), contents(tmp_path / "new")
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == {MANIFEST}
    assert contents(COMMITTED) == before


def test_a_bundle_changes_in_its_own_place_and_again(bundle: Path) -> None:
    write_scores(bundle, SETTINGS, RECORD, bundle)
    write_scores(bundle, ScoreSettings(2.0), {"precision": 0.5}, bundle)
    manifest = verify_bundle(bundle)
    assert manifest.scores == ScoreSettings(2.0) and manifest.critical == ("scores",)
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_the_speeds_belong_to_the_changed_manifest(bundle: Path) -> None:
    write_scores(with_speeds(bundle), SETTINGS, RECORD, bundle)
    assert verify_bundle(bundle).measured == MEASURED


def test_the_settings_are_taken_out_to_the_byte() -> None:
    exported = (COMMITTED / MANIFEST).read_bytes()
    assert without_scores(exported) == exported
    changed = with_scores(exported, SETTINGS, RECORD)
    assert changed != exported
    assert without_scores(changed) == exported
    assert with_scores(changed, ScoreSettings(), {}) == with_scores(exported, ScoreSettings(), {})


def test_a_failure_leaves_the_bundle_as_it_was(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> None:
        raise BundleError("planted")

    monkeypatch.setattr(stored, "verify_bundle", broken)
    with pytest.raises(BundleError, match="planted"):
        write_scores(bundle, SETTINGS, RECORD, bundle)
    assert contents(bundle) == contents(COMMITTED)
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_a_signed_bundle_is_not_changed_but_another_may_be_written_without_its_signature(
    bundle: Path, tmp_path: Path
) -> None:
    (bundle / "manifest.json.release.sig").write_text("{}", encoding="utf-8")
    manifest = read_manifest(bundle)
    with pytest.raises(UserInputError, match=r"manifest\.json\.release\.sig does not hold") as caught:
        check_changeable(bundle, manifest, None)
    assert "edgener sign NEW --key KEY" in (caught.value.hint or "")
    check_changeable(bundle, manifest, tmp_path / "new")
    write_scores(bundle, SETTINGS, RECORD, tmp_path / "new")
    assert not list((tmp_path / "new").glob("*.sig")) and list(bundle.glob("*.sig"))


@pytest.mark.parametrize(
    ("place", "message"), [("bundle/inner", "lies within"), ("full", "is not replaced"), ("file", "is a file")]
)
def test_a_place_where_no_bundle_can_be_written_is_refused_before_anything_is_measured(
    place: str, message: str, bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    (tmp_path / "file").touch()
    with pytest.raises(UserInputError, match=message):
        check_changeable(bundle, read_manifest(bundle), tmp_path / place)


def test_a_bundle_named_as_its_own_output_stays_signed_too(bundle: Path) -> None:
    (bundle / "manifest.json.sig").write_text("{}", encoding="utf-8")
    with pytest.raises(UserInputError, match="is signed"):
        check_changeable(bundle, read_manifest(bundle), bundle)


def test_a_rebuild_compares_what_was_exported(bundle: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    write_scores(bundle, SETTINGS, RECORD, new)
    assert compared_files(new) == compared_files(bundle)
    assert list(differences(new, bundle)) == []
    root = json.loads((new / MANIFEST).read_bytes())
    (new / MANIFEST).write_bytes(json.dumps(root | {"edgener_version": "9"}).encode())
    assert [str(each) for each in differences(new, bundle)] == [
        'manifest.json: .edgener_version is "9", in the new export "0.1.0"'
    ]
