"""Golden answers: a difference near a tie is not a fault, any other is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgener_runtime import TokenClassifier, UserInputError
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.commissioning.selftest.answers import AnswerComparison, answer_all, band_of, compare, reference_of
from edgener_runtime.commissioning.selftest.report import Answer
from edgener_runtime.machine.devices import CPU

KNOWN = (Answer("a", "0 3 4", "5.0 2.0 1.0", "4.0 0.3 0.1"), Answer("b", "1", "9.0", "9.0"))
BAND = 0.1


def said(labels: str, logits: str = "5.0 2.0 1.0") -> tuple[Answer, ...]:
    return Answer("a", labels, logits, "4.0 0.3 0.1"), KNOWN[1]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (KNOWN, AnswerComparison(4, 0, 0, 0.0)),
        (said("0 3 0"), AnswerComparison(4, 1, 1, 0.0)),  # its lead was 0.1, within twice the band
        (said("0 0 4"), AnswerComparison(4, 1, 0, 0.0)),  # its lead was 0.3
        (said("0 3 4", "5.0 2.5 1.0"), AnswerComparison(4, 0, 0, 0.5)),
        (KNOWN[::-1], AnswerComparison(4, 0, 0, 0.0)),
    ],
    ids=["the same", "near a tie", "decided", "another logit", "in another order"],
)
def test_answers_are_compared_text_by_text(own: tuple[Answer, ...], expected: AnswerComparison) -> None:
    assert compare(own, KNOWN, BAND) == expected


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ((Answer("c", "0", "1", "1"),), "1 of 1 texts have no answer in the reference"),
        ((*KNOWN, Answer("c", "0", "1", "1")), "1 of 3 texts"),
        ((), "0 of 0 texts"),
        ((Answer("b", "1 1", "9 9", "9 9"),), "a text has 2 subwords here and 1 in the reference"),
    ],
)
def test_answers_of_other_texts_cannot_be_compared(own: tuple[Answer, ...], message: str) -> None:
    with pytest.raises(UserInputError, match=message):
        compare(own, KNOWN, BAND)


def test_an_answer_covers_every_subword_and_not_the_text(classifier: TokenClassifier) -> None:
    text = "Feed pump P-101: oil leak"
    [answer] = answer_all(classifier, [text])
    [scored] = classifier.logits([text])
    assert answer.labels.split() == [str(label) for label in scored.logits.argmax(axis=-1)]
    assert [float(logit) for logit in answer.logits.split()] == pytest.approx(scored.logits.max(axis=-1), abs=1e-4)
    assert all(float(lead) >= 0 for lead in answer.leads.split())
    assert "pump" not in str(answer)


@pytest.mark.parametrize("text", ["", "   "])
def test_a_text_without_subwords_has_an_empty_answer(text: str, classifier: TokenClassifier) -> None:
    [answer] = answer_all(classifier, [text])
    assert (answer.labels, answer.logits, answer.leads) == ("", "", "")
    assert compare([answer], [answer], BAND) == AnswerComparison(0, 0, 0, 0.0)


def test_the_reference_is_the_variant_itself_for_what_ran_elsewhere(manifest: Manifest) -> None:
    fp32 = manifest.variant("fp32")
    assert reference_of(manifest, fp32, "CUDAExecutionProvider") == fp32


def test_on_the_cpu_int8_is_compared_with_fp32_and_fp32_with_nothing(manifest: Manifest) -> None:
    fp32, int8 = manifest.variant("fp32"), manifest.variant("int8-dynamic")
    assert reference_of(manifest, int8, CPU) == fp32
    assert reference_of(manifest, replace(fp32), CPU) is None  # another object, as a second load gives
    assert reference_of(replace(manifest, variants=(int8,)), int8, CPU) is None


def test_what_cannot_run_on_the_cpu_is_compared_with_fp32(manifest: Manifest) -> None:
    fp32 = manifest.variant("fp32")
    requirements = replace(fp32.requirements, providers=("CUDAExecutionProvider",))
    fp16 = replace(fp32, name="fp16", precision="fp16", requirements=requirements)
    assert reference_of(replace(manifest, variants=(fp16, fp32)), fp16, "CUDAExecutionProvider") == fp32


def test_a_band_is_what_was_lost_at_export_and_never_below_rounding(manifest: Manifest) -> None:
    fp32, int8 = manifest.variant("fp32"), manifest.variant("int8-dynamic")
    assert int8.parity and band_of(int8) == int8.parity.max_logit_difference
    assert band_of(fp32) == 0.01
    assert band_of(replace(int8, parity=None)) == 0.1
