"""The built-in set: the same in every process, nothing shared between splits, every label everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations

import pytest

from edgener.data.factory import factory_splits
from edgener.data.inspect import check_disjoint
from edgener.data.types import Dataset

LABELS = ("ACTION", "COMPONENT", "EQUIPMENT", "FAULT", "LOCATION", "MEASUREMENT", "PART_NUMBER")
PRINT_HASHES = "from edgener.data.factory import factory_splits; print(*(s.sha256 for s in factory_splits().values()))"


@pytest.fixture(scope="module")
def splits() -> dict[str, Dataset]:
    return factory_splits()


def entities(dataset: Dataset) -> set[tuple[str, str]]:
    """Label and text of every entity, in lower case."""
    return {
        (span.label, s.text[s.offsets[span.start][0] : s.offsets[span.end - 1][1]].lower())
        for s in dataset.sentences
        for span in s.spans
    }


def test_sizes(splits: dict[str, Dataset]) -> None:
    assert {name: len(split.sentences) for name, split in splits.items()} == {"train": 2000, "valid": 300, "test": 600}


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_another_process_with_another_hash_seed_makes_the_same(splits: dict[str, Dataset], hash_seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", PRINT_HASHES], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [split.sha256 for split in splits.values()]


def test_published_figures_stand_on_this_very_content(splits: dict[str, Dataset]) -> None:
    assert {name: split.sha256[:16] for name, split in splits.items()} == {
        "train": "1ab6361c2568da79",
        "valid": "a2fa7c1585e1225f",
        "test": "8e8190a0e533097a",
    }


def test_another_seed_makes_other_sentences(splits: dict[str, Dataset]) -> None:
    other = factory_splits(seed=8)
    texts = [{sentence.text for sentence in made["test"].sentences} for made in (splits, other)]
    assert len(texts[0] & texts[1]) < 0.1 * len(texts[0])


def test_no_sentence_stands_twice_within_or_between_splits(splits: dict[str, Dataset]) -> None:
    for one, other in combinations(splits.values(), 2):
        check_disjoint(one, other)
    texts = [sentence.text.casefold() for split in splits.values() for sentence in split.sentences]
    assert len(set(texts)) == len(texts)


def test_every_label_is_in_every_split_often_enough_to_score(splits: dict[str, Dataset]) -> None:
    for split in splits.values():
        assert split.labels == LABELS
        assert min(split.entity_counts.values()) >= 30


def test_some_sentences_have_no_entity(splits: dict[str, Dataset]) -> None:
    for split in splits.values():
        assert 0.01 < sum(not sentence.spans for sentence in split.sentences) / len(split.sentences) < 0.2


def test_the_test_split_has_words_that_training_never_saw(splits: dict[str, Dataset]) -> None:
    seen, judged = entities(splits["train"]), entities(splits["test"])
    for label in ("COMPONENT", "FAULT", "ACTION", "LOCATION"):
        of_label = {entity for entity in judged if entity[0] == label}
        assert 0.15 < len(of_label - seen) / len(of_label) < 0.9


def test_the_same_words_stand_under_several_labels_so_that_the_sentence_decides(splits: dict[str, Dataset]) -> None:
    labels: dict[str, set[str]] = {}
    for label, text in entities(splits["train"]):
        for word in text.split():
            labels.setdefault(word, set()).add(label)
    shared = {word for word, found in labels.items() if len(found) > 1 and word.isalpha()}
    assert {"filter", "pump", "oil"} <= shared and len(shared) >= 10


def test_entities_begin_and_end_on_solid_characters(splits: dict[str, Dataset]) -> None:
    for split in splits.values():
        assert all(text == text.strip() != "" for _, text in entities(split))
