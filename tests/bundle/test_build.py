"""The manifests of a bundle: names that devices refuse are refused before anything is measured, and what is written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import rfc8785

from edgener.bundle.build import draft_manifest, write_manifest
from edgener_runtime.bundle.manifest import Manifest, Speed, Spread, read_manifest
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.errors import UserInputError


@pytest.mark.parametrize(
    ("folder", "labels"),
    [("model\x1b[2J", ("O", "B-A")), ("model", ("O", "B-\u202eA")), ("model", ("O\n", "B-A")), ("m\x9bodel", ("O",))],
)
def test_names_that_a_terminal_obeys_are_refused(folder: str, labels: tuple[str, ...], tmp_path: Path) -> None:
    checkpoint = SimpleNamespace(path=tmp_path / folder, label_set=LabelSet(labels))
    with pytest.raises(UserInputError, match=r"has the character U\+") as raised:
        draft_manifest(checkpoint, [], tmp_path, {})  # type: ignore[arg-type]
    assert raised.value.hint


# --- what is written


BUNDLE = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "bundle"


def written(folder: Path, milliseconds: dict[str, float], options: tuple[str, ...] = ()) -> Manifest:
    """A bundle with a report of these speeds, the fastest variant first."""
    shutil.copytree(BUNDLE, folder)
    (folder / "report.html").write_text(f"{milliseconds}")
    manifest, around = read_manifest(BUNDLE), Spread(1.0, 1.0, 1.0)
    entries = [
        replace(
            manifest.variant(name),
            disabled_optimizers=options,
            speed=Speed(Spread(time, time, time), around, "AVX2", 2),
        )
        for name, time in sorted(milliseconds.items(), key=lambda item: item[1])
    ]
    return write_manifest(replace(manifest, variants=tuple(entries)), folder, ["report.html"])


def test_what_is_written_is_read_and_whole(tmp_path: Path) -> None:
    manifest = written(tmp_path / "b", {"fp32": 3.0, "int8-dynamic": 5.0}, ("SkipLayerNormFusion",))
    assert verify_bundle(tmp_path / "b") == manifest == read_manifest(tmp_path / "b")
    assert [entry.name for entry in manifest.variants] == ["fp32", "int8-dynamic"]
    assert manifest.variants[0].disabled_optimizers == ("SkipLayerNormFusion",) and manifest.variants[0].speed
    assert [entry.path for entry in manifest.measured_files] == ["report.html"]


def test_speeds_change_no_file_but_those_that_show_them(tmp_path: Path) -> None:
    written(tmp_path / "one", {"fp32": 3.0, "int8-dynamic": 5.0}, ("SkipLayerNormFusion",))
    written(tmp_path / "two", {"fp32": 9.0, "int8-dynamic": 2.0})
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    both = [[(tmp_path / side / file).read_bytes() for side in ("one", "two")] for file in files]
    changed = {str(file) for file, (one, two) in zip(files, both, strict=True) if one != two}
    assert changed == {"measured.json", "report.html"}


def test_a_bundle_that_was_not_timed_has_no_measurements(tmp_path: Path) -> None:
    shutil.copytree(BUNDLE, tmp_path / "b")
    write_manifest(read_manifest(BUNDLE), tmp_path / "b")
    assert not (tmp_path / "b" / "measured.json").exists()
    assert (tmp_path / "b" / "manifest.json").read_bytes() == (BUNDLE / "manifest.json").read_bytes()


def test_manifests_are_canonical(tmp_path: Path) -> None:
    written(tmp_path / "b", {"fp32": 3.0, "int8-dynamic": 5.0})
    for file in ("manifest.json", "measured.json", "variants/fp32.json", "variants/int8-dynamic.json"):
        data = (tmp_path / "b" / file).read_bytes()
        assert rfc8785.dumps(json.loads(data)) == data
