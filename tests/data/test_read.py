"""From what a user names to data sets: files, folders, formats, shares of a file, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgener.data.read import DataSpec, check_labels, read_both, read_split, read_splits
from edgener.data.types import Dataset
from edgener_runtime.errors import UserInputError

CONLL = "Pump B-EQ\nleaks B-F/Leak\n\nok O\n"
JSONL = '{"text": "Pump leaks", "entities": [[0, 4, "EQ"], [5, 10, "F/Leak"]]}\n{"text": "ok", "entities": []}\n'


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="")
    return file


def whole(source: Path, **options: Any) -> Dataset:
    return read_splits(DataSpec(str(source), **options))["all"]


def refusal(source: object, **options: Any) -> UserInputError:
    with pytest.raises(UserInputError) as error:
        read_splits(DataSpec(str(source), **options))
    assert error.value.hint
    return error.value


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("a.conll", CONLL, "conll"),
        ("a.txt", JSONL, "text-spans"),
        ("a", f"[{JSONL.replace(chr(10), ',', 1)}]", "text-spans"),
        ("a.jsonl", JSONL, "text-spans"),
        ("a.txt", "[ O\nPump B-EQ\n] O\n", "conll"),
        ("a.txt", "{\tO\nPump\tB-EQ\n", "conll"),
        ("a.txt", '\n\n[\n{"text": "x"}]', "text-spans"),
        ("a.txt", '["Pump leaks", {"entities": [[0, 4, "EQ"]]}]\n', "spacy"),
    ],
)
def test_the_format_is_guessed(tmp_path: Path, name: str, text: str, form: str) -> None:
    assert whole(write(tmp_path / name, text)).format == form


def test_the_same_annotation_has_the_same_hash_in_any_format(tmp_path: Path) -> None:
    texts = {"a.txt": CONLL, "b.jsonl": JSONL, "c.txt": CONLL.replace(" ", "\t").replace("\n", "\r\n")}
    texts["d.txt"] = "\ufeff" + CONLL.replace("B-", "S-").rstrip("\n")
    assert len({whole(write(tmp_path / name, text)).sha256 for name, text in texts.items()}) == 1


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_other_systems_change_neither_sentences_nor_line_numbers(tmp_path: Path, end: str) -> None:
    file = write(tmp_path / "a.txt", CONLL.replace("\n", end))
    assert [sentence.line for sentence in whole(file).sentences] == [1, 4]
    broken = refusal(write(tmp_path / "b.txt", CONLL.replace("ok O", "ok").replace("\n", end)))
    assert "b.txt:4: found 'ok'" in broken.message


def test_a_broken_first_line_does_not_change_what_a_json_file_is_taken_for(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", "oops\n" + JSONL)
    assert "a.jsonl:1: found 'oops', expected one JSON record per line" in refusal(file).message
    read = whole(file, on_error="skip")
    assert len(read.sentences) == 2 and read.repairs == {"broken lines skipped": 1}


@pytest.mark.parametrize(("text", "form"), [("", "auto"), ("\n\t\n", "auto"), ("[]", "json"), ("", "json")])
def test_a_file_without_sentences_is_refused(tmp_path: Path, text: str, form: str) -> None:
    assert "empty.txt holds no sentences" in refusal(write(tmp_path / "empty.txt", text), format=form).message


@pytest.mark.parametrize("name", ["empty.json", "empty.jsonl"])
def test_an_empty_array_has_no_sentence(tmp_path: Path, name: str) -> None:
    assert "holds no sentences" in refusal(write(tmp_path / name, "[]")).message


def test_a_file_with_nothing_but_broken_lines_is_refused_even_where_they_are_skipped(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", "oops\n5\n")
    assert "holds no sentences" in refusal(file, on_error="skip").message


@pytest.mark.parametrize("name", ["nowhere.txt", "no/where.txt", "x" * 5000])
def test_a_path_that_leads_nowhere_is_bad_input(tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path / name).exit_code == 2


def test_the_splits_of_a_folder_go_by_their_usual_names(tmp_path: Path) -> None:
    for name in ("train.conll", "dev.jsonl", "test.txt", "README.md", "tests.txt"):
        write(tmp_path / name, JSONL if name.endswith("jsonl") else CONLL)
    (tmp_path / "valid").mkdir()
    splits = read_splits(DataSpec(str(tmp_path)))
    assert {name: (split.split, Path(split.source).name) for name, split in splits.items()} == {
        "train": ("train", "train.conll"),
        "valid": ("valid", "dev.jsonl"),
        "test": ("test", "test.txt"),
    }


def test_a_folder_without_data_and_one_with_too_much_are_refused(tmp_path: Path) -> None:
    assert "expected files named train, valid or test" in refusal(tmp_path).message
    for name in ("dev.txt", "validation.json"):
        write(tmp_path / name, CONLL)
    assert "several files for valid: dev.txt, validation.json" in refusal(tmp_path).message


def test_a_folder_without_permission_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert "Permission denied" in refusal(tmp_path).message


def test_an_error_in_one_split_names_its_file(tmp_path: Path) -> None:
    write(tmp_path / "train.txt", CONLL)
    write(tmp_path / "test.txt", CONLL + "broken\n")
    assert f"{tmp_path / 'test.txt'}:5: found 'broken'" in refusal(tmp_path).message


def test_one_split_is_read_by_name_and_a_single_file_serves_for_any(tmp_path: Path) -> None:
    write(tmp_path / "set" / "train.txt", CONLL)
    assert read_split(DataSpec(str(tmp_path / "set" / "train.txt")), "test").split == "test"
    assert read_split(DataSpec(str(tmp_path / "set")), "train").split == "train"
    with pytest.raises(UserInputError, match="has no test split; it has train"):
        read_split(DataSpec(str(tmp_path / "set")), "test")


@pytest.mark.parametrize(
    ("count", "cut", "sizes"),
    [
        (1076, (80, 10, 10), (860, 108, 108)),
        (10, (80, 10, 10), (8, 1, 1)),
        (3, (80, 10, 10), (1, 1, 1)),
        (11, (1, 1, 1), (3, 4, 4)),
    ],
)
def test_a_file_is_shared_out_in_its_order(
    tmp_path: Path, count: int, cut: tuple[int, int, int], sizes: tuple[int, int, int]
) -> None:
    file = write(tmp_path / "a.txt", "\n".join(f"w{number} O\n" for number in range(count)))
    splits = read_splits(DataSpec(str(file), cut=cut))
    assert tuple(len(split.sentences) for split in splits.values()) == sizes
    texts = [sentence.text for split in splits.values() for sentence in split.sentences]
    assert texts == [f"w{number}" for number in range(count)]


def test_what_was_dropped_in_a_file_that_is_shared_out_is_counted_for_all_splits(tmp_path: Path) -> None:
    file = write(tmp_path / "a.txt", "a I-X\n\nb B-X\n\nc B-X\nd I-X\n")
    splits = read_splits(DataSpec(str(file), cut=(1, 1, 1)))
    assert splits["train"].repairs == {"entities that began without B-, in all splits": 1}


def test_too_few_sentences_and_what_is_cut_already_cannot_be_shared_out(tmp_path: Path) -> None:
    file = write(tmp_path / "train.txt", CONLL)
    assert "has 2 sentences: too few for --cut 80/10/10" in refusal(file, cut=(80, 10, 10)).message
    assert "is cut into train already" in refusal(tmp_path, cut=(80, 10, 10)).message
    assert "is cut into train, valid, test already" in refusal("builtin:factory", cut=(80, 10, 10)).message


@pytest.mark.parametrize(
    ("level", "labels"),
    [(None, ("EQ", "F/Leak/Oil")), (1, ("EQ", "F")), (2, ("EQ", "F/Leak")), (9, ("EQ", "F/Leak/Oil"))],
)
@pytest.mark.parametrize(("name", "text"), [("a.txt", CONLL), ("a.jsonl", JSONL)])
def test_labels_that_are_paths_are_cut_in_every_format(
    tmp_path: Path, name: str, text: str, level: int | None, labels: tuple[str, ...]
) -> None:
    file = write(tmp_path / name, text.replace("F/Leak", "F/Leak/Oil"))
    assert whole(file, label_level=level).labels == labels


def test_columns_count_from_one_and_are_named_in_errors_so(tmp_path: Path) -> None:
    file = write(tmp_path / "a.txt", "B-EQ Pump x\nO leaks y\n")
    assert whole(file, token_column=2, tag_column=1).sentences[0].tokens == ["Pump", "leaks"]
    assert "column 4 was asked for" in refusal(file, tag_column=4).message


@pytest.mark.parametrize("options", [{"token_column": 1}, {"tag_column": 2}])
def test_json_has_no_columns_to_ask_for(tmp_path: Path, options: dict[str, Any]) -> None:
    file = write(tmp_path / "a.jsonl", JSONL)
    (name,) = options
    assert f"is read as json, which does not take --{name.replace('_', '-')}" in refusal(file, **options).message


def test_json_without_tags_has_no_scheme_and_no_numbers_to_ask_for(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", JSONL)
    assert "a.jsonl has no tags for --scheme" in refusal(file, scheme="IO").message
    assert "has no tags that are numbers for --label-names" in refusal(file, label_names=("O", "B-X")).message


def test_a_format_that_was_asked_for_is_not_guessed(tmp_path: Path) -> None:
    assert whole(write(tmp_path / "a.json", "{ O\n} B-X\n"), format="conll").token_count == 2
    assert "expected one JSON record" in refusal(write(tmp_path / "a.txt", CONLL), format="json").message


def test_an_unknown_built_in_set_is_refused() -> None:
    assert "there is no built-in data set 'builtin:office'" in refusal("builtin:office").message


def test_labels_that_a_model_does_not_know_are_named(tmp_path: Path) -> None:
    dataset = whole(write(tmp_path / "a.txt", CONLL))
    check_labels(("EQ", "F/Leak", "MORE"), dataset)
    with pytest.raises(UserInputError, match="labels that the model does not know: F/Leak; it knows EQ"):
        check_labels(("EQ",), dataset)


@pytest.mark.parametrize(
    ("known", "new"), [(("PLACE", "f/leak"), "f/leak"), (("X", "LEAKS"), "LEAKS"), (("PLACE", "B"), "O"), ((), "O")]
)
def test_a_label_that_training_never_saw_is_proposed_as_one_alike_or_as_o(
    tmp_path: Path, known: tuple[str, ...], new: str
) -> None:
    with pytest.raises(UserInputError) as refused:
        check_labels(("EQ", *known), whole(write(tmp_path / "a.txt", CONLL)))
    assert refused.value.hint and f"--map-labels F/Leak={new}. " in refused.value.hint


def test_a_sentence_of_641_tokens_and_an_empty_one_are_read(tmp_path: Path) -> None:
    tokens = ["泵"] * 641
    records = [{"tokens": tokens, "entities": [{"start": 640, "end": 641, "type": "X"}]}, {"text": "", "entities": []}]
    long, empty = whole(write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, records)))).sentences
    assert long.tokens == tokens and long.spans[0].end == 641
    assert empty.tokens == [] and empty.tags() == []


def test_two_sources_are_cut_and_mapped_where_that_applies(tmp_path: Path) -> None:
    file = write(tmp_path / "new.jsonl", JSONL * 5)
    old = write(tmp_path / "old" / "train.conll", CONLL).parent
    first, second = read_both(DataSpec(str(file), cut=(60, 20, 20), map_labels=(("EQ", "MACHINE"),)), str(old))
    assert {name: len(split.sentences) for name, split in first.items()} == {"train": 6, "valid": 2, "test": 2}
    assert second["train"].labels == ("F/Leak", "MACHINE") and list(second) == ["train"]
    only_old = DataSpec(str(file), map_labels=(("F/Leak", "LEAK"),))
    assert read_both(only_old, "builtin:factory")[0]["all"].labels == ("EQ", "LEAK")
    with pytest.raises(UserInputError, match="are split already"):
        read_both(DataSpec("builtin:factory", cut=(80, 10, 10)), str(old))
    with pytest.raises(UserInputError, match="no entity of the data has the label 'NONE'"):
        read_both(DataSpec(str(file), map_labels=(("NONE", "X"),)), str(old))
