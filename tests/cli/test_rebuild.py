"""`edgener rebuild --check`: another export of a bundle, and what differs; and `edgener export --no-texts`."""

from __future__ import annotations

import html
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgener import pipeline
from edgener.bundle.build import write_manifest
from edgener.bundle.evidence import EPOCH
from edgener.bundle.rebuild import differences
from edgener.cli.main import main
from edgener.confidence.stored import write_scores
from edgener.data.types import Dataset
from edgener_exporters.graph.onnx import export_onnx
from edgener_runtime.bundle.manifest import MANIFEST, MEASURED, read_manifest
from edgener_runtime.bundle.slim import slim
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.decoding.entity import ScoreSettings

TIME, DAY = "1700000000", "2023-11-14"
COMMITTED = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "bundle"
LOOSE = ("--variant", "fp32,int8-dynamic", "--max-f1-drop", 1)


def run(*arguments: object, epoch: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(word) for word in arguments], env={EPOCH: epoch})


@pytest.fixture(scope="module", autouse=True)
def graph_once(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The FP32 graph is made once for all tests."""
    file = tmp_path_factory.mktemp("graph") / "fp32.onnx"
    export_onnx(trained, file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "export_onnx", lambda checkpoint, out, exporter: shutil.copy(file, out) and ())
        yield


def export(trained: Path, out: Path, data: Path, *options: object, epoch: str | None = None) -> Path:
    done = run("export", trained, "--out", out, "--data", data, *LOOSE, *options, epoch=epoch)
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def bundle(trained: Path, small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the time of an export. Not to be changed."""
    return export(trained, tmp_path_factory.mktemp("timed") / "bundle", small_data, epoch=TIME)


@pytest.fixture(scope="module")
def silent(trained: Path, small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without texts and without a time. Not to be changed."""
    return export(trained, tmp_path_factory.mktemp("silent") / "bundle", small_data, "--no-texts")


def rewritten(bundle: Path, folder: Path, change: Callable[[Path], object]) -> Path:
    """A copy in which something else is the case, whole by its manifests."""
    manifest = read_manifest(bundle)
    shutil.copytree(bundle, folder)
    for path in (folder / MANIFEST, folder / MEASURED):
        path.unlink(missing_ok=True)
    change(folder)
    write_manifest(manifest, folder, [entry.path for entry in manifest.measured_files])
    verify_bundle(folder)
    return folder


def replaced(file: str, old: str, new: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


# --- rebuild


@pytest.mark.parametrize("now", [None, "1"])
def test_another_export_in_another_folder_is_the_same_with_the_time_of_the_first(
    bundle: Path, trained: Path, small_data: Path, now: str | None
) -> None:
    assert DAY in (bundle / "model-card.md").read_text(encoding="utf-8")
    assert f"export {EPOCH}={TIME}" in (bundle / "reproduce.sh").read_text(encoding="utf-8")
    before = set(bundle.parent.iterdir())
    done = run("rebuild", bundle, "--check", "--checkpoint", trained, "--data", small_data, epoch=now)
    assert done.exit_code == 0, done.output
    assert "files, all the same when exported again" in done.stdout and len(done.stdout.splitlines()) == 1
    assert set(bundle.parent.iterdir()) == before
    assert "against PyTorch" in done.stderr and "edgener-rebuild-" not in done.stderr


def test_without_a_time_it_has_none_and_options_are_kept(
    silent: Path, trained: Path, small_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "again"
    words = ("rebuild", silent, "--check", "--checkpoint", trained, "--data", small_data, "--out", out)
    done = run(*words, epoch=TIME)
    assert done.exit_code == 0, done.output
    assert verify_bundle(out) and not (out / "diff").exists()
    assert f"unset {EPOCH}" in (out / "reproduce.sh").read_text(encoding="utf-8")


def test_score_settings_are_not_compared_and_a_note_says_so(
    silent: Path, trained: Path, small_data: Path, tmp_path: Path
) -> None:
    write_scores(silent, ScoreSettings(1.3, {"ACTION": 0.9}), {"precision": 0.9}, tmp_path / "scored")
    words = ("--check", "--checkpoint", trained, "--data", small_data)
    done = run("rebuild", tmp_path / "scored", *words)
    assert done.exit_code == 0, done.output
    assert "files, all the same when exported again" in done.stdout
    assert "has score settings, which edgener thresholds added; they are not compared" in done.stderr


def test_a_planted_difference_is_exit_5_and_named(
    silent: Path, trained: Path, small_data: Path, tmp_path: Path
) -> None:
    copy = rewritten(silent, tmp_path / "copy", replaced("parity.json", '"variant": "fp32"', '"variant": "fp23"'))
    done = run("rebuild", copy, "--check", "--checkpoint", trained, "--data", small_data)
    assert done.exit_code == 5, done.output
    assert 'is "fp23", in the new export "fp32"' in done.stdout
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} == {MANIFEST, "parity.json"}
    assert "not what its inputs give: 2 of" in done.stderr and "Traceback" not in done.output


def test_a_changed_byte_is_exit_5_before_anything_is_exported(silent: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(silent, tmp_path / "copy"))
    (copy / "parity.md").write_bytes((copy / "parity.md").read_bytes().replace(b"a", b"b", 1))
    done = run("rebuild", copy, "--check")
    assert done.exit_code == 5 and "parity.md was changed" in done.stderr


def test_another_checkpoint_is_refused_by_the_name_of_its_file(silent: Path, trained: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(trained, tmp_path / "other"))
    with (other / "config.json").open("a") as file:
        file.write("\n")
    done = run("rebuild", silent, "--check", "--checkpoint", other)
    assert done.exit_code == 2 and "config.json differs" in done.stderr
    (other / "config.json").unlink()
    assert "config.json differs" in run("rebuild", silent, "--check", "--checkpoint", other).stderr


def test_the_checkpoint_is_looked_for_beside_the_bundle(silent: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(silent, tmp_path / "copy"))
    done = run("rebuild", copy, "--check")
    assert done.exit_code == 2 and f"there is no checkpoint {tmp_path / 'checkpoint'}" in done.stderr
    (tmp_path / "checkpoint").mkdir()
    assert "is not the checkpoint" in run("rebuild", copy, "--check").stderr


def test_a_bundle_that_does_not_say_how_it_was_made_is_refused(silent: Path, tmp_path: Path) -> None:
    slim(silent, "fp32", tmp_path / "slim")
    for folder in (tmp_path / "slim", COMMITTED):
        done = run("rebuild", folder, "--check")
        assert done.exit_code == 2 and "has no provenance.intoto.json" in done.stderr

    def empty(folder: Path) -> None:
        (folder / "provenance.intoto.json").write_text('{"predicate": []}')

    done = run("rebuild", rewritten(silent, tmp_path / "empty", empty), "--check")
    assert done.exit_code == 5 and "does not say how" in done.stderr


def test_rebuild_says_what_it_can_do(silent: Path) -> None:
    done = run("rebuild", silent)
    assert done.exit_code == 2 and "give --check, --out, or both" in done.stderr


def test_the_environment_is_as_before(silent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgener.cli.release.rebuild import _source_date_epoch

    monkeypatch.setenv(EPOCH, "5")
    for inside in (None, 7):
        with pytest.raises(KeyError), _source_date_epoch(inside):
            assert os.environ.get(EPOCH) == (None if inside is None else str(inside))
            raise KeyError
        assert os.environ[EPOCH] == "5"


PLANTED: dict[str, tuple[Callable[[Path], object], dict[str, str]]] = {
    "a value in JSON": (
        lambda folder: (folder / "extra.json").write_text('{"sha256": "2", "b": [1, {"c": 4}]}'),
        {"extra.json": ".b[1].c is 3, in the new export 4"},
    ),
    "an item less": (
        lambda folder: (folder / "extra.json").write_text('{"sha256": "1", "b": [1]}'),
        {"extra.json": '.b[1] is {"c": 3}, in the new export absent'},
    ),
    "the white space": (
        lambda folder: (folder / "extra.json").write_text('{"sha256":"1","b":[1,{"c":3}]}'),
        {"extra.json": "the same JSON, written otherwise"},
    ),
    "a text": (
        lambda folder: (folder / "note.md").write_text("another"),
        {"note.md": "3 bytes, in the new export 7 others"},
    ),
    "one file more": (lambda folder: (folder / "more.md").write_text("new"), {"more.md": "only in the new export"}),
    "one file less": (lambda folder: (folder / "note.md").unlink(), {"note.md": "not in the new export"}),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_each_kind_of_difference_is_named(planted: str, tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "extra.json").write_text('{"sha256": "1", "b": [1, {"c": 3}]}')
        (folder / "note.md").write_text("one")

    change, expected = PLANTED[planted]
    first = rewritten(COMMITTED, tmp_path / "a", write)
    found = {each.file: each.how for each in differences(first, rewritten(first, tmp_path / "b", change))}
    assert found.pop(MANIFEST).startswith(".files[")
    assert found == expected


def test_speeds_and_signatures_do_not_count(bundle: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        (folder / "report.html").write_text("another speed")

    other = rewritten(bundle, tmp_path / "other", change)
    (other / "manifest.json.sig").write_text("{}")
    assert (other / MEASURED).read_bytes() != (bundle / MEASURED).read_bytes()
    assert list(differences(bundle, other)) == list(differences(other, bundle)) == []


def test_a_variant_that_is_not_there_is_not_compared(silent: Path, tmp_path: Path) -> None:
    less = Path(shutil.copytree(silent, tmp_path / "less"))
    for file in (less / "variants").glob("int8-dynamic.*"):
        file.unlink()
    assert list(differences(less, silent)) == []


# --- --no-texts


def quoted(folder: Path, dataset: Dataset) -> set[str]:
    """The files with a sentence, or where they are text with four words in a row of one."""
    whole = {sentence.text for sentence in dataset.sentences if sentence.text.strip()}
    parts = {
        sentence.text[first[0] : last[1]]
        for sentence in dataset.sentences
        for first, last in zip(sentence.offsets, sentence.offsets[3:], strict=False)
    }
    found = set()
    for file in (path for path in folder.rglob("*") if path.is_file()):
        data = file.read_bytes()
        if file.suffix in (".onnx", ".png"):
            here = any(each.encode() in data for each in whole)
        else:
            text = html.unescape(data.decode("utf-8"))
            here = any(part in text for part in whole | parts)
        if here:
            found.add(file.relative_to(folder).as_posix())
    return found


def test_without_texts_no_file_quotes_the_evaluation_text(
    bundle: Path, silent: Path, small_factory: dict[str, Dataset]
) -> None:
    test = small_factory["test"]
    golden = {"variants/fp32.json", "variants/int8-dynamic.json"}
    assert quoted(bundle, test) == {"diff/int8-dynamic.jsonl", "report.html", *golden}  # what would be found
    assert quoted(silent, test) == set()
    sources = {name: {entry.golden.source for entry in verify_bundle(folder).variants if entry.golden}
               for name, folder in (("bundle", bundle), ("silent", silent))}  # fmt: skip
    assert sources == {"bundle": {"evaluation"}, "silent": {"samples"}}
    page = (silent / "report.html").read_text(encoding="utf-8")
    assert "--no-texts" in page and "discloses" not in page and 'id="changes"' not in page
    assert " --no-texts" in (silent / "reproduce.sh").read_text(encoding="utf-8")
    for name in ("parity.md", "parity.json"):
        assert (silent / name).read_bytes() == (bundle / name).read_bytes()
