"""The classifier: what it finds, in whatever company and length, and when it refuses to answer."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from edgener_runtime import BundleError, EdgenerError, Entity, TokenClassifier, UserInputError
from edgener_runtime.backends.base import ANY
from edgener_runtime.bundle import verify
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.decoding.entity import AGGREGATIONS, Decoding
from edgener_runtime.text.windows import plan

pytestmark = pytest.mark.compat

WORDS = (
    "oil leak",
    "Feed PUMP",
    "P-101",
    " ",
    "泵",
    "漏油",
    "e\u0301",
    "🔧",
    "\x00",
    "\ud800",
    "\udfff",
    "\u200f",
    "\u2028",
)
any_text = st.text(st.characters())
mixed_text = st.lists(st.sampled_from(WORDS) | any_text, max_size=60).map("".join)  # over several windows too


def plain(entities: list[Entity]) -> list[tuple[str, int, int, str]]:
    return [(entity.label, entity.start, entity.end, entity.text) for entity in entities]


def scores(entities: list[Entity]) -> list[float]:
    return [entity.score for entity in entities]


# --- what is known


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_entities_are_those_of_transformers(
    aggregation: str, golden: list[dict[str, Any]], classifier: TokenClassifier
) -> None:
    """And, for the texts over several windows, those of this runtime when the bundle was made."""
    for record in golden:
        text, known = record["text"], record["entities"][aggregation]
        found = classifier.predict(text, Decoding(aggregation))
        assert plain(found) == [(label, start, end, text[start:end]) for label, start, end, _ in known]
        assert scores(found) == pytest.approx([score for *_, score in known], abs=1e-4)


def test_the_golden_texts_are_of_both_kinds_and_have_entities(golden: list[dict[str, Any]]) -> None:
    sources = [record["source"] for record in golden]
    assert sources.count("transformers") >= 24 and sources.count("runtime") >= 4
    assert sum(len(record["entities"]["simple"]) for record in golden) > 100


def test_int8_gives_nearly_the_same(bundle: Path, golden: list[dict[str, Any]]) -> None:
    """Which labels change depends on the CPU's instructions, so only their share is bounded."""
    texts = [record["text"] for record in golden]
    with TokenClassifier.load(bundle, "cpu", "fp32") as exact, TokenClassifier.load(bundle, "cpu") as small:
        assert (exact.variant.name, small.variant.name) == ("fp32", "int8-dynamic")
        equal = [
            one.logits.argmax(-1) == other.logits.argmax(-1)
            for one, other in zip(exact.logits(texts), small.logits(texts), strict=True)
        ]
    assert np.concatenate(equal).mean() > 0.9


# --- company and length


def test_a_text_alone_is_as_in_a_batch(golden: list[dict[str, Any]], classifier: TokenClassifier) -> None:
    texts = [record["text"] for record in golden]
    together = classifier.predict_batch(texts * 2, Decoding("average"))
    assert len(together) == 2 * len(texts)
    for text, found in zip(texts * 2, together, strict=True):
        alone = classifier.predict(text, Decoding("average"))
        assert plain(alone) == plain(found)
        assert scores(alone) == pytest.approx(scores(found), abs=1e-5)


def test_a_batch_may_be_empty_or_larger_than_is_tokenised_at_once(classifier: TokenClassifier) -> None:
    assert classifier.predict_batch([]) == []
    found = classifier.predict_batch(["oil leak", "Feed pump P-101"] * 300)
    assert [plain(entities) for entities in found] == [plain(entities) for entities in found[:2]] * 300


def test_logits_stream(classifier: TokenClassifier) -> None:
    endless = iter(lambda: "oil leak", None)
    assert next(classifier.logits(endless)).logits.shape[1] == 15


def run_whole(classifier: TokenClassifier, text: str) -> Any:
    """Logits of a text in one window, straight from the session."""
    tokenizer = classifier._tokenizer
    [subwords] = tokenizer.encode([text])
    ids = [*tokenizer.prefix, *subwords.ids, *tokenizer.suffix]
    feeds = {
        "input_ids": np.array([ids]),
        "attention_mask": np.ones((1, len(ids)), dtype=np.int64),
        "token_type_ids": np.array([[0, *subwords.classes, 0]]),
    }
    return classifier.engine.session.run(feeds)[0, 1:-1]


def words_of(count: int) -> list[str]:
    """Words of one subword each."""
    return [("泵", "OIL", "漏", "3")[i % 4] for i in range(count)]


@pytest.mark.parametrize("length", [1, 61, 62])
def test_a_text_that_fits_one_window_is_run_whole(length: int, classifier: TokenClassifier) -> None:
    text = " ".join(words_of(length))
    [scored] = classifier.logits([text])
    assert len(scored.logits) == length
    np.testing.assert_allclose(scored.logits, run_whole(classifier, text), atol=1e-4)


@pytest.mark.parametrize("length", [63, 64, 107, 108, 109, 300])
def test_a_longer_text_has_each_subword_from_a_window_with_most_around_it(
    length: int, classifier: TokenClassifier
) -> None:
    words = words_of(length)
    [scored] = classifier.logits([" ".join(words)])
    assert len(scored.logits) == length
    windows = plan(length, 62, 16)
    runs = [run_whole(classifier, " ".join(words[window.start : window.end])) for window in windows]
    for subword in range(length):
        around = [min(subword - window.start, window.end - 1 - subword) for window in windows]
        best = [i for i, context in enumerate(around) if context == max(around)]  # two, in the middle between them
        distances = [abs(scored.logits[subword] - runs[i][subword - windows[i].start]).max() for i in best]
        assert len(best) <= 2 and min(distances) < 1e-4


def test_a_long_text_is_never_cut(bundle: Path, classifier: TokenClassifier) -> None:
    whole = Tokenizer.from_file(str(bundle / "tokenizer.json"))
    for sentence in ("Feed pump P-101 overheating, shaft seal replaced. ", "泵过热,已更换。", "🔧e\u0301x "):
        text = sentence * 200
        [scored] = classifier.logits([text])
        assert scored.input_ids.tolist() == whole.encode(text, add_special_tokens=False).ids
        assert np.isfinite(scored.logits).all()
        assert scored.offsets[-1, 1] == len(text.rstrip())


def test_the_last_sentence_of_a_long_text_has_its_entities(classifier: TokenClassifier) -> None:
    sentence = "crane brg noise, repl roller. "
    text = sentence * 40
    last = [e for e in classifier.predict(text, Decoding("first")) if e.start >= len(text) - len(sentence)]
    assert [entity.text for entity in last] == ["crane", "brg", "noise", "repl", "roller"]


# --- any text


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@settings(max_examples=60)
@given(text=mixed_text)
def test_entities_are_slices_of_any_text(aggregation: str, text: str, classifier: TokenClassifier) -> None:
    entities = classifier.predict(text, Decoding(aggregation))
    assert sum(entity.end - entity.start for entity in entities) <= len(text)
    for entity in entities:
        assert 0 <= entity.start < entity.end <= len(text)
        assert entity.text == text[entity.start : entity.end]
        assert 0 < entity.score <= 1 + 1e-6


@settings(max_examples=30)
@given(texts=st.lists(mixed_text, max_size=6))
def test_any_texts_together_are_as_alone(texts: list[str], classifier: TokenClassifier) -> None:
    alone = [next(classifier.logits([text])) for text in texts]
    for one, other in zip(alone, classifier.logits(texts), strict=True):
        np.testing.assert_array_equal(one.offsets, other.offsets)
        np.testing.assert_allclose(one.logits, other.logits, atol=1e-3)


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000 \u00a0", "\x00", "\u200d\ufe0f"])
def test_a_text_without_subwords_has_no_entities(text: str, classifier: TokenClassifier) -> None:
    assert classifier.predict(text) == []
    assert classifier.predict_batch([text, "oil leak", text])[::2] == [[], []]


# --- reproducible answers


def loaded(bundle: Path, monkeypatch: pytest.MonkeyPatch, effects: dict[str, float | None], **how: Any) -> Any:
    """The bundle with other batch effects in its manifest."""
    manifest = read_manifest(bundle)
    entries = [
        dataclasses.replace(entry, parity=dataclasses.replace(entry.parity, batch_effect=effects[entry.name]))
        for entry in manifest.variants
        if entry.parity
    ]
    changed = dataclasses.replace(manifest, variants=tuple(entries))
    monkeypatch.setattr(verify, "read_manifest", lambda folder, signed: changed)
    return TokenClassifier.load(bundle, device="cpu", **how)


def rows_run_together(classifier: TokenClassifier, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    whole, rows = classifier.engine._run_on, set[int]()

    def run(session: Any, inputs: dict[str, Any]) -> Any:
        rows.add(len(inputs["input_ids"]))
        return whole(session, inputs)

    monkeypatch.setattr(classifier.engine, "_run_on", run)
    classifier.predict_batch(["oil leak", "seal worn", "pump leaks oil"])
    return rows


@pytest.mark.parametrize(
    ("effects", "how", "variant", "alone"),
    [
        ({"int8-dynamic": 0.02, "fp32": 0.0}, {}, "int8-dynamic", False),
        ({"int8-dynamic": 0.02, "fp32": 0.0}, {"reproducible": True}, "fp32", False),
        ({"int8-dynamic": 0.0, "fp32": 0.0}, {"reproducible": True}, "int8-dynamic", False),
        ({"int8-dynamic": 0.02, "fp32": 0.01}, {"reproducible": True}, "int8-dynamic", True),
        ({"int8-dynamic": None, "fp32": None}, {"reproducible": True}, "int8-dynamic", True),
        ({"int8-dynamic": 0.02, "fp32": 0.0}, {"reproducible": True, "variant": "int8-dynamic"}, "int8-dynamic", True),
    ],
)
def test_a_reproducible_answer_comes_from_a_steady_variant_or_from_a_text_alone(
    effects: dict[str, float | None], how: dict[str, Any], variant: str, alone: bool,
    bundle: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with loaded(bundle, monkeypatch, effects, **how) as classifier:
        assert classifier.variant.name == variant
        assert rows_run_together(classifier, monkeypatch) == ({1} if alone else {3})


# --- refusals


def test_an_aggregation_that_there_is_not_is_reported(classifier: TokenClassifier) -> None:
    with pytest.raises(UserInputError, match="there is no aggregation 'mean'"):
        classifier.predict("oil leak", Decoding("mean"))


def test_a_variant_that_there_is_not_is_reported(bundle: Path) -> None:
    with pytest.raises(UserInputError, match="has no variant 'int4'"):
        TokenClassifier.load(bundle, variant="int4")


def test_a_closed_model_is_freed_at_once(bundle: Path) -> None:
    """Not when the garbage collector comes by, which is after several loads: each would keep a model in memory."""
    gc.disable()
    try:
        classifier = TokenClassifier.load(bundle, "cpu")
        classifier.predict_batch(["oil leak"] * 64)
        sessions = [weakref.ref(classifier.engine.session), weakref.ref(classifier.engine._each or classifier)]
        classifier.close()
        del classifier
        assert [session() for session in sessions] == [None, None]
    finally:
        gc.enable()


def test_a_closed_classifier_is_reported(bundle: Path) -> None:
    with TokenClassifier.load(str(bundle)) as classifier:
        assert classifier.predict("oil leak")
    with pytest.raises(EdgenerError, match="was closed"):
        classifier.predict("oil leak")
    classifier.close()


class StubSession:
    """In place of a session: answers one number everywhere."""

    provider = library = "a stub"
    shapes = ANY
    notes = ()

    def __init__(self, number: float, labels: int) -> None:
        self.number, self.labels = number, labels

    def run(self, feeds: dict[str, Any]) -> Any:
        return np.full((*feeds["input_ids"].shape, self.labels), self.number, dtype=np.float32)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_an_answer_that_is_not_a_number_is_an_error(number: float, bundle: Path) -> None:
    with TokenClassifier.load(bundle, variant="fp32") as classifier:
        classifier.engine._session = StubSession(number, 15)
        with pytest.raises(EdgenerError, match="variant fp32 answered with a number that is not finite") as caught:
            classifier.predict("oil leak")
    assert caught.value.exit_code == 3


def test_padding_changes_no_answer_of_fp32(bundle: Path) -> None:
    texts = ["oil leak at the seal", "", "Bearing of pump P-101 worn, replaced " * 8]
    with TokenClassifier.load(bundle, variant="fp32") as classifier:
        for plain, padded in zip(classifier.logits(texts), classifier.logits(texts, padding=30), strict=True):
            np.testing.assert_array_equal(plain.input_ids, padded.input_ids)
            np.testing.assert_allclose(plain.logits, padded.logits, atol=1e-4)


@pytest.mark.parametrize("labels", [1, 14, 16])
def test_an_answer_for_other_labels_than_the_manifest_s_is_an_error(labels: int, bundle: Path) -> None:
    with TokenClassifier.load(bundle, variant="fp32") as classifier:
        classifier.engine._session = StubSession(0.5, labels)
        with pytest.raises(BundleError, match=f"scores {labels} labels, the manifest has 15"):
            classifier.predict("oil leak")


def test_entities_cannot_be_changed(classifier: TokenClassifier) -> None:
    entity = classifier.predict("oil leak")[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        entity.label = "O"  # type: ignore[misc]
