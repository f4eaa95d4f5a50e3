"""Label schemes: what labels mean, what is an entity, and how a decoder reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime import Decoding
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.decoding.decode import Decoder, Scored
from edgener_runtime.decoding.schemes import SCHEMES, LabelSet, allowed_entities, prefix_of
from edgener_runtime.errors import BundleError, UserInputError


@pytest.mark.parametrize(
    ("scheme", "label", "tag"),
    [
        ("IOB2", "B-PER", "B-PER"),
        ("IOB2", "i-per", "I-per"),
        ("IOB2", "B_PART-NO", "B-PART-NO"),
        ("IOB2", "E-MAIL", "I-E-MAIL"),
        ("IOB1", "I-人名", "I-人名"),
        ("PLAIN", "I-94", "I-I-94"),
        ("PLAIN", "PER", "I-PER"),
        ("BMES", "M-PER", "I-PER"),
        ("BILOU", "U-PER", "S-PER"),
        ("BILOU", "L.PER", "E-PER"),
        ("BIOES", "M-PER", "I-M-PER"),
    ],
)
def test_a_label_is_a_role_and_a_type(scheme: str, label: str, tag: str) -> None:
    assert SCHEMES[scheme].tag(label) == tag


@pytest.mark.parametrize("label", ["PER", "B-", "B", "-PER", "BB-PER", "1-PER", "B- x", "Ж-PER", ""])
def test_what_has_no_prefix(label: str) -> None:
    assert prefix_of(label) == ""


def test_outside_and_ignored_labels_are_outside() -> None:
    labels = LabelSet(("[CLS]", "OTHER", "B-PER", "I-PER", "X"), outside="OTHER", ignored=("[CLS]", "X"))
    assert labels.tags == ("O", "O", "B-PER", "I-PER", "O")
    assert labels.types == ("PER",)


@pytest.mark.parametrize(
    ("scheme", "tags", "entities"),
    [
        ("IOB2", "B-X I-X O I-X", [("X", 0, 2)]),
        ("IOB2", "B-X I-Y B-X", [("X", 0, 1), ("X", 2, 3)]),
        ("IOB1", "I-X I-X B-X I-Y", [("X", 0, 2), ("X", 2, 3), ("Y", 3, 4)]),
        ("IOB1", "O B-X I-X I-Y", [("Y", 3, 4)]),
        ("IO", "I-X I-X I-Y O I-Y", [("X", 0, 2), ("Y", 2, 3), ("Y", 4, 5)]),
        ("BIOES", "B-X I-X E-X S-Y", [("X", 0, 3), ("Y", 3, 4)]),
        ("BIOES", "B-X I-X O B-X", []),
        ("BIOES", "E-X I-X B-X S-X", [("X", 3, 4)]),
        ("BIOS", "B-X I-X S-X B-X O", [("X", 0, 2), ("X", 2, 3)]),
        ("BIOE", "B-X B-X E-X I-X", [("X", 0, 1), ("X", 1, 3)]),
    ],
)
def test_an_entity_is_what_the_scheme_allows(scheme: str, tags: str, entities: list[tuple[str, int, int]]) -> None:
    assert list(allowed_entities(tags.split(), scheme)) == entities


# --- decoding


def found(labels: LabelSet, said: str, within: str = "", decoding: Decoding | None = None) -> list[tuple[str, str]]:
    """(type, text) of the entities of one-letter subwords with these labels; those in `within` continue a word."""
    numbers = [labels.names.index(name) for name in said.split()]
    logits = 5 * np.eye(len(labels.names), dtype=np.float32)[numbers]
    text = "abcdefgh"[: len(numbers)]
    scored = Scored(
        logits, [(i, i + 1) for i in range(len(text))], lambda: [letter in within for letter in text], [len(text)]
    )
    [entities] = Decoder(labels).entities([text], scored, decoding or Decoding())
    return [(entity.label, entity.text) for entity in entities]


LABELS = {
    "IOB1": LabelSet(("O", "B-X", "I-X", "B-Y", "I-Y"), "IOB1"),
    "PLAIN": LabelSet(("O", "X", "E-MAIL"), "PLAIN"),
    "BIOES": LabelSet(("O", "B-X", "I-X", "E-X", "S-X", "B-Y", "E-Y", "S-Y"), "BIOES"),
    "BILOU": LabelSet(("_", "B-X", "I-X", "L-X", "U-X"), "BILOU", "_"),
    "BMES": LabelSet(("O", "b_X", "m_X", "e_X", "s_X"), "BMES"),
    "MARKED": LabelSet(("O", "B-X", "I-X", "X", "[PAD]"), "IOB2", "O", ("X", "[PAD]")),
}


@pytest.mark.parametrize(
    ("labels", "said", "within", "entities"),
    [
        ("IOB1", "I-X I-X B-X I-Y", "", [("X", "ab"), ("X", "c"), ("Y", "d")]),
        ("PLAIN", "X X E-MAIL O E-MAIL", "", [("X", "ab"), ("E-MAIL", "c"), ("E-MAIL", "e")]),
        ("BIOES", "B-X I-X E-X S-X S-X", "", [("X", "abc"), ("X", "d"), ("X", "e")]),
        ("BIOES", "B-X E-Y S-Y", "", [("X", "a"), ("Y", "b"), ("Y", "c")]),
        ("BIOES", "S-X S-X E-X", "b", [("X", "ab"), ("X", "c")]),  # both subwords of a word have its label
        ("BIOES", "B-X E-X E-X S-Y", "c", [("X", "abc"), ("Y", "d")]),
        ("BILOU", "_ B-X I-X L-X U-X", "", [("X", "bcd"), ("X", "e")]),
        ("BMES", "b_X m_X e_X s_X", "", [("X", "abc"), ("X", "d")]),
        ("MARKED", "B-X X I-X O X", "be", [("X", "abc")]),  # X joins its subword to the word
        ("MARKED", "[PAD] B-X X X", "", [("X", "b")]),
    ],
)
@pytest.mark.parametrize("aggregation", ["simple", "first"])
def test_entities_are_grouped_by_their_scheme(
    labels: str, said: str, within: str, entities: list[tuple[str, str]], aggregation: str
) -> None:
    assert found(LABELS[labels], said, within, Decoding(aggregation)) == entities


@pytest.mark.parametrize("labels", ["IOB1", "PLAIN", "BIOES", "BILOU", "BMES"])
def test_strict_decoding_keeps_what_the_scheme_allows(labels: str) -> None:
    said = {"IOB1": "I-X I-X B-X O I-Y", "PLAIN": "X E-MAIL O X X", "BIOES": "S-Y B-X I-X E-X S-X"}.get(
        labels, " ".join(LABELS[labels].names)
    )
    plain, strict = (found(LABELS[labels], said, "", Decoding(strict=strict)) for strict in (False, True))
    assert plain == strict and plain


def test_strict_decoding_of_bioes_ends_its_entities() -> None:
    assert found(LABELS["BIOES"], "B-X I-X", "", Decoding(strict=True)) == [("X", "ab")]
    assert found(LABELS["BIOES"], "B-X E-X E-X", "c", Decoding(strict=True)) == [("X", "abc")]


def test_a_threshold_of_an_ignored_label_is_refused() -> None:
    assert found(LABELS["MARKED"], "B-X I-X", "", Decoding(thresholds={"X": 0.1})) == [("X", "ab")]
    for name in ("[PAD]", "O", "B-X"):
        with pytest.raises(UserInputError, match="to give a threshold"):
            found(LABELS["MARKED"], "B-X", "", Decoding(thresholds={name: 0.1}))


@given(st.lists(st.sampled_from(LABELS["BIOES"].names), min_size=1, max_size=8), st.sets(st.sampled_from("abcdefgh")))
def test_no_subword_of_an_entity_is_lost(said: list[str], within: set[str]) -> None:
    texts = "".join(text for _, text in found(LABELS["BIOES"], " ".join(said), "".join(within)))
    assert texts == "".join(letter for letter, label in zip("abcdefgh", said, strict=False) if label != "O")


# --- in a bundle


def with_fields(bundle: Path, folder: Path, **fields: object) -> Path:
    """A copy of a bundle whose manifest has these fields."""
    copy = shutil.copytree(bundle, folder / "copy")
    manifest = copy / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text(encoding="utf-8")) | fields), encoding="utf-8")
    return copy


def test_a_bundle_says_how_its_labels_are_read(bundle: Path, tmp_path: Path) -> None:
    assert read_manifest(bundle).label_set.scheme == "IOB2"
    changed = with_fields(bundle, tmp_path, scheme="IOB1", outside="OTHER", ignored_labels=["X"])
    assert read_manifest(changed).label_set == LabelSet(read_manifest(bundle).labels, "IOB1", "OTHER", ("X",))


def test_a_bundle_of_an_unknown_scheme_is_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="the label scheme 'IOB3'; this edgener-runtime knows IOB2, IOB1, IO, PLAIN"):
        read_manifest(with_fields(bundle, tmp_path, scheme="IOB3"))
