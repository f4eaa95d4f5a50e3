"""What teachers predict for each word, whatever their tokenizers and the order of their labels."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgener.data.types import Dataset
from edgener.train import teacher as teacher_module
from edgener.train.teacher import (
    Lesson,
    Teacher,
    TeacherModel,
    TeacherOutputs,
    layer_map,
    open_teachers,
    teacher_outputs,
)
from edgener_runtime.base.partial import locked
from edgener_runtime.errors import UserInputError

pytestmark = pytest.mark.compat

Few = dict[str, Dataset]
COUNT = 10
LABELS = ["O", "B-NAME", "I-NAME", "B-NUMBER", "I-NUMBER"]


@pytest.fixture(scope="module")
def bert(make_teacher: Callable[..., Path]) -> Path:
    return make_teacher("bert-uncased", "O B-NAME I-NAME B-NUMBER I-NUMBER")


@pytest.fixture(scope="module")
def roberta(make_teacher: Callable[..., Path]) -> Path:
    """With another tokenizer, another order of labels, and one that stands for no word."""
    return make_teacher("roberta", "I-NUMBER [PAD] B-NAME O B-NUMBER I-NAME", 2)


# A teacher's table that is larger than the file system it is written to.
FULL_DISK = """
import sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from edgener.train import teacher
from edgener_runtime.errors import StorageError

rows = [np.ones((64, 64), dtype=np.float32)] * 64
model = SimpleNamespace(hidden_width=0, words=lambda part: rows[: len(part)])
teacher.TeacherModel.load = lambda *_: model
lesson = teacher.Lesson([SimpleNamespace(offsets=[()] * 64)] * 64, ["O"] * 64, 2.0, "cpu")
try:
    teacher._compute([SimpleNamespace(checkpoint=None)], lesson, Path(sys.argv[1]) / "table.npy")
except StorageError as error:
    print(error)
"""
OPENED: dict[Path, Teacher] = {}


def outputs(few: Few, work: Path, *teachers: Path, **changes: Any) -> TeacherOutputs:
    """The outputs for a few sentences, of which the first and the seventh are long."""
    for path in teachers:
        if path not in OPENED:
            OPENED[path] = open_teachers([str(path)], few["train"].labels, few["train"])[0]
    lesson = Lesson(few["valid"].sentences[:COUNT], LABELS, 2.0, "cpu")
    return teacher_outputs([OPENED[path] for path in teachers], replace(lesson, **changes), work)


@pytest.mark.parametrize(
    ("layers", "of_teacher", "expected"),
    [(4, 12, (3, 6, 9, 12)), (6, 6, (1, 2, 3, 4, 5, 6)), (4, 6, (2, 3, 5, 6)), (1, 12, (12,)), (3, 2, (1, 2, 2))],
)
def test_layers_are_evenly_spaced_and_the_last_is_the_last(
    layers: int, of_teacher: int, expected: tuple[int, ...]
) -> None:
    assert layer_map(layers, of_teacher) == expected


def expected_of(folder: Path, text: str, offsets: tuple[tuple[int, int], ...]) -> dict[int, Any]:
    """By word the softened probabilities in the order of LABELS, and the hidden states of layer 2, from transformers.

    A word has those of the subword that has its first character.
    """
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    model = AutoModelForTokenClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.no_truncation()
    encoded = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    places = encoded.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        given = model(**encoded, output_hidden_states=True)
    soft = (given.logits[0] / 2).softmax(-1)
    names = model.config.id2label
    ignored = sum(soft[:, number] for number, name in names.items() if name == "[PAD]")
    by_name = {name: soft[:, number] + (ignored if name == "O" else 0) for number, name in names.items()}
    soft = torch.stack([by_name[label] for label in LABELS], -1)
    return {
        word: (soft[subword].numpy(), given.hidden_states[2][0, subword].numpy())
        for word, (start, _) in enumerate(offsets)
        for subword, (first, last) in enumerate(places)
        if first <= start < last
    }


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_words_have_what_transformers_gives_for_their_first_subwords(
    few: Few, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = request.getfixturevalue(kind)
    found = outputs(few, tmp_path, folder, layers=2)
    assert found.hidden is not None and found.hidden.shape == (len(found.soft), 2, 32)
    at, compared = 0, 0
    for sentence in few["valid"].sentences[:COUNT]:
        if len(sentence.offsets) < 12:  # one window
            for word, (soft, hidden) in expected_of(folder, sentence.text, sentence.offsets).items():
                np.testing.assert_allclose(found.soft[at + word], soft, atol=2e-3)
                np.testing.assert_allclose(found.hidden[at + word, 1], hidden, atol=0.02)
                compared += 1
        at += len(sentence.offsets)
    assert compared > 20 and at == len(found.soft)


def test_each_word_of_a_long_text_has_soft_labels(few: Few, roberta: Path, tmp_path: Path) -> None:
    assert (
        max(len(sentence.text) for sentence in few["valid"].sentences[:COUNT]) > 300
    )  # several windows of 66 subwords
    found = outputs(few, tmp_path, roberta)
    assert found.hidden is None and found.soft.dtype == np.float16
    np.testing.assert_allclose(found.soft.astype(np.float32).sum(-1), 1, atol=5e-3)


def test_an_ensemble_gives_the_mean(few: Few, bert: Path, roberta: Path, tmp_path: Path) -> None:
    one, other, both = (outputs(few, tmp_path, *found).soft for found in ((bert,), (roberta,), (bert, roberta)))
    assert np.abs(one - other).max() > 0.1
    np.testing.assert_allclose(both, (one.astype(np.float32) + other) / 2, atol=2e-3)


def test_a_word_without_a_subword_has_no_soft_label_but_where_another_teacher_has_one(
    few: Few, bert: Path, roberta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, alone = TeacherModel.words, outputs(few, tmp_path, bert).soft

    def words(self: TeacherModel, sentences: Any) -> Any:
        for found in whole(self, sentences):
            found[0] *= 0 if len(self.label_set.names) == 6 else 1  # the first word of each sentence, in roberta
            yield found

    monkeypatch.setattr(TeacherModel, "words", words)
    first = np.cumsum([0, *(len(sentence.offsets) for sentence in few["valid"].sentences[:COUNT])])[:-1]
    assert not outputs(few, tmp_path, roberta).soft[first].any()
    np.testing.assert_allclose(outputs(few, tmp_path, bert, roberta).soft[first], alone[first], atol=1e-3)


# --- computed once


def test_the_same_lesson_is_not_run_twice(
    few: Few, bert: Path, roberta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = outputs(few, tmp_path, bert).soft
    monkeypatch.setattr(TeacherModel, "load", lambda *_: pytest.fail("it ran again"))
    assert (outputs(few, tmp_path, bert).soft == first).all()
    others: list[tuple[Path, dict[str, Any]]] = [
        (roberta, {}), (bert, {"temperature": 3.0}), (bert, {"layers": 2}), (bert, {"labels": LABELS[::-1]}),
        (bert, {"sentences": few["test"].sentences}),
    ]  # fmt: skip
    for folder, changes in others:
        with pytest.raises(pytest.fail.Exception):
            outputs(few, tmp_path, folder, **changes)
    assert len(list(tmp_path.iterdir())) == 1  # nothing half-written


def test_another_process_is_waited_for(tmp_path: Path) -> None:
    """A lock of a file descriptor is not shared by threads that open their own."""
    file, begun = tmp_path / "table.npy", threading.Event()

    def other() -> None:
        with locked(tmp_path):
            begun.set()
            time.sleep(0.3)
            file.touch()

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait()
    teacher_module._once(file, lambda: pytest.fail("both computed"))
    thread.join()


def test_the_work_of_a_process_that_failed_is_done_by_the_next(tmp_path: Path) -> None:
    file = tmp_path / "table.npy"
    with pytest.raises(KeyboardInterrupt):
        teacher_module._once(file, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    teacher_module._once(file, file.touch)
    assert file.exists()


# --- bad input


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("O B-NAME I-NAME", "has other types of entities than .*: without NUMBER"),
        ("O B-NAME I-NAME B-NUMBER I-NUMBER B-PLACE I-PLACE", "other types of entities than .*: also PLACE"),
        ("O B-PER I-PER B-NUMBER I-NUMBER", "other types of entities than .*: without NAME; also PER"),
        ("O B-NAME I-NAME E-NAME S-NAME B-NUMBER I-NUMBER E-NUMBER S-NUMBER", "labels in the scheme BIOES"),
        ("O NAME NUMBER", "labels in the scheme PLAIN"),
    ],
)
def test_other_labels_are_refused_with_what_differs(
    few: Few, make_teacher: Callable[..., Path], labels: str, message: str
) -> None:
    folder = make_teacher("bert-uncased", labels)
    with pytest.raises(UserInputError, match=message) as caught:
        open_teachers([str(folder)], few["train"].labels, few["train"])
    assert str(folder) in caught.value.message
    assert caught.value.exit_code == 2 and caught.value.hint


def test_labels_that_are_in_iob1_by_the_predictions_are_refused(
    few: Few, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IOB1 and IOB2 may have the same names of labels; nothing but the predictions of a strange model says which."""
    said = ["I-NAME", "O"]
    monkeypatch.setattr(teacher_module, "tag", lambda _, sentences: [said] * len(sentences))
    with pytest.raises(UserInputError, match="labels in the scheme IOB1; what edgener trains has IOB2"):
        open_teachers([str(bert)], few["train"].labels, few["train"])
    said[0] = "B-NAME"
    assert open_teachers([str(bert)], few["train"].labels, few["train"])[0].record.weights.keys() == {
        "model.safetensors"
    }


@pytest.mark.parametrize("kind", ["nowhere", "no weights", "weights cut off"])
def test_a_teacher_that_cannot_be_opened_is_named(few: Few, bert: Path, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "teacher"
    if kind != "nowhere":
        folder.mkdir()
        for file in bert.iterdir():
            content = file.read_bytes()
            if file.suffix == ".safetensors":
                content = content[: len(content) // 2]
            if kind != "no weights" or file.suffix != ".safetensors":
                (folder / file.name).write_bytes(content)
    with pytest.raises(UserInputError, match=str(folder)):
        open_teachers([str(folder)], few["train"].labels, few["train"])


def test_outputs_that_are_not_finite_are_refused(
    few: Few, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = TeacherModel.words
    monkeypatch.setattr(TeacherModel, "words", lambda self, part: (1e6 * found for found in whole(self, part)))
    with pytest.raises(UserInputError, match="not finite in 16 bits"):
        outputs(few, tmp_path, bert)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_and_not_the_end_of_the_process(tmp_path: Path) -> None:
    """Writing to a mapped file ends a process with SIGBUS where the disk is full."""
    if not shutil.which("unshare"):
        pytest.skip("unshare is missing")
    mounted = f'mount -t tmpfs -o size=64k small "{tmp_path}"'
    if subprocess.run(["unshare", "-Urm", "sh", "-c", mounted], capture_output=True, check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    command = f'{mounted} && exec "{sys.executable}" -c "$0" "{tmp_path}"'
    ended = subprocess.run(["unshare", "-Urm", "sh", "-c", command, FULL_DISK], capture_output=True, text=True)
    assert ended.returncode == 0 and "cannot write" in ended.stdout and "No space left" in ended.stdout
