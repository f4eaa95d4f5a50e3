"""The score settings of a bundle: a temperature that changes scores alone, and defaults that every service has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgener_runtime import Decoding, TokenClassifier, UserInputError
from edgener_runtime.aio import AsyncTokenClassifier
from edgener_runtime.bulk import BatchTagger
from edgener_runtime.bundle.manifest import Manifest, read_manifest
from edgener_runtime.bundle.schema import require_known
from edgener_runtime.decoding.decode import Decoder, Scored
from edgener_runtime.decoding.entity import AGGREGATIONS, Entity, ScoreSettings
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.errors import BundleError

TEXT = "Feed pump P-101: oil leak, 泵 replaced the bearing in hall 3"
SCORES = {"temperature": 2.5, "thresholds": {"ACTION": 0.5, "FAULT": 0.9}, "aggregation": "first"}
EXPLICIT = {"COMPONENT": 0.6}
Edit = Callable[..., Path]
Found = list[dict[str, Any]]


@pytest.fixture
def scored(edit: Edit) -> Path:
    """The bundle with score settings."""
    return edit(scores=SCORES, critical=["scores"])


def spans(entities: list[Entity]) -> list[tuple[str, int, int]]:
    return [(entity.label, entity.start, entity.end) for entity in entities]


# --- the temperature


@pytest.mark.parametrize("temperature", [0.3, 2.5, 40.0])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_no_entity_depends_on_the_temperature(
    aggregation: str, strict: bool, temperature: float, classifier: TokenClassifier, edit: Edit
) -> None:
    decoding = Decoding(aggregation, strict)
    texts = [TEXT, "", "Grüße aus Halle 3 " * 9]
    expected = classifier.predict_batch(texts, decoding)
    with TokenClassifier.load(edit(scores={"temperature": temperature}), "cpu", "fp32") as scaled:
        found = scaled.predict_batch(texts, decoding)
    assert list(map(spans, found)) == list(map(spans, expected))
    pairs = [pair for one, other in zip(found, expected, strict=True) for pair in zip(one, other, strict=True)]
    assert any(abs(one.score - other.score) > 0.01 for one, other in pairs)


@pytest.mark.parametrize(
    "label_set", [LabelSet(("O", "B-A", "I-A", "B-C", "I-C")), LabelSet(("O", "S-A", "E-A", "B-A", "I-A"), "BIOES")]
)
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_no_entity_of_random_logits_depends_on_the_temperature(aggregation: str, label_set: LabelSet) -> None:
    random = np.random.default_rng(3)
    for strict in (False, True):
        logits = (3 * random.standard_normal((60, 5))).astype(np.float32)
        continues = (random.random(60) < 0.4).tolist()
        scored = Scored(logits, [(2 * i, 2 * i + 1) for i in range(60)], continues.copy, [60])
        found = [
            Decoder(label_set, ScoreSettings(temperature)).entities(["x" * 120], scored, Decoding(aggregation, strict))
            for temperature in (1.0, 0.2, 5.0)
        ]
        assert len(found[0][0]) > 9
        assert spans(found[0][0]) == spans(found[1][0]) == spans(found[2][0])


def test_a_score_is_the_softmax_of_the_logits_divided_by_the_temperature(
    scored: Path, classifier: TokenClassifier
) -> None:
    [logits] = classifier.logits([TEXT])
    powers = np.exp(logits.logits.astype(float) / 2.5)
    expected = (powers / powers.sum(axis=-1, keepdims=True)).max(axis=-1)
    with TokenClassifier.load(scored, "cpu", "fp32") as scaled:
        found = scaled.predict(TEXT, Decoding("none", thresholds={}))
        whole = scaled.predict(TEXT, Decoding("simple", thresholds={}))
    starts = {start: row for row, (start, _) in enumerate(logits.offsets.tolist())}
    assert [entity.score for entity in found] == pytest.approx([expected[starts[each.start]] for each in found], 1e-5)
    pump = next(entity for entity in whole if entity.text == "pump P-101")
    rows = [row for start, row in starts.items() if pump.start <= start < pump.end]
    assert pump.score == pytest.approx(np.mean(expected[rows]), 1e-5)


# --- bundles without settings


def test_a_bundle_without_settings_has_the_scores_of_the_model(manifest: Manifest, classifier: TokenClassifier) -> None:
    assert manifest.scores is None
    assert "scores" not in str(classifier.explain())
    assert classifier.predict(TEXT) == classifier.predict(TEXT, Decoding("simple", thresholds={}))


def test_settings_at_their_defaults_change_nothing(edit: Edit, classifier: TokenClassifier) -> None:
    with TokenClassifier.load(edit(scores={}), "cpu", "fp32") as same:
        for aggregation in AGGREGATIONS:
            assert same.predict(TEXT, Decoding(aggregation)) == classifier.predict(TEXT, Decoding(aggregation))


# --- the defaults of the bundle, through every service


def with_python(bundle: Path, thresholds: Mapping[str, float] | None, _: Any) -> Found:
    with TokenClassifier.load(bundle, "cpu", "fp32") as classifier:
        return [asdict(entity) for entity in classifier.predict(TEXT, Decoding(thresholds=thresholds))]


def options(thresholds: Mapping[str, float] | None) -> list[str]:
    if thresholds is None:
        return []
    return [f"--threshold={label}={score}" for label, score in thresholds.items()] or ["--no-thresholds"]


def with_predict(bundle: Path, thresholds: Mapping[str, float] | None, run: Any) -> Found:
    done = run("predict", bundle, "--variant", "fp32", *options(thresholds), TEXT)
    assert done.code == 0, done.err
    return list(json.loads(done.out)["entities"])


def with_tag(bundle: Path, thresholds: Mapping[str, float] | None, run: Any) -> Found:
    source, out = bundle.parent / "texts.jsonl", bundle.parent / "tagged.jsonl"
    source.write_text(json.dumps({"text": TEXT}), encoding="utf-8")
    done = run(
        "tag", bundle, source, "--out", out, "--workers", 1, "--overwrite", "--variant", "fp32", *options(thresholds)
    )
    assert done.code == 0, done.err
    return list(json.loads(out.read_text(encoding="utf-8"))["entities"])


def with_batches(bundle: Path, thresholds: Mapping[str, float] | None, _: Any) -> Found:
    given = None if thresholds is None else dict(thresholds)
    found = BatchTagger(str(bundle), variant="fp32", thresholds=given)({"text": np.array([TEXT], dtype=object)})
    return list(found["entities"][0])


def client_of(bundle: Path) -> Any:
    pytest.importorskip("starlette", reason="the extra serve is not installed")
    pytest.importorskip("httpx", reason="starlette's test client needs httpx")
    from starlette.testclient import TestClient

    from edgener_runtime.services.http.app import create_app
    from edgener_runtime.services.http.limits import Limits
    from edgener_runtime.services.http.models.served import ServedModel
    from edgener_runtime.services.http.models.source import ModelSource
    from edgener_runtime.services.http.service import Service

    model = ServedModel(ModelSource(lambda: TokenClassifier.load(bundle, "cpu", "fp32")), Limits())
    return TestClient(create_app(Service([model], Limits(), False), None))


def with_http(bundle: Path, thresholds: Mapping[str, float] | None, _: Any) -> Found:
    with client_of(bundle) as client:
        body = {"text": TEXT} | ({} if thresholds is None else {"thresholds": thresholds})
        return list(client.post("/predict", json=body).json()["entities"])


def with_open_inference(bundle: Path, thresholds: Mapping[str, float] | None, _: Any) -> Found:
    """The protocol has no empty mapping: a threshold of 0 for any label stands in place of the bundle's."""
    given = {"ACTION": 0} if thresholds == {} else thresholds or {}
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [TEXT]}
    body = {"inputs": [tensor], "parameters": {f"threshold.{label}": score for label, score in given.items()}}
    with client_of(bundle) as client:
        answer = client.post("/v2/models/tiny-factory/infer", json=body).json()
    return list(json.loads(answer["outputs"][0]["data"][0]))


def with_mqtt(bundle: Path, thresholds: Mapping[str, float] | None, _: Any) -> Found:
    pytest.importorskip("paho", reason="the extra mqtt is not installed")
    from edgener_runtime.services.mqtt.answers import Answerer
    from edgener_runtime.services.mqtt.broker import Topics
    from edgener_runtime.services.mqtt.messages import IncomingMessage

    async def reply() -> bytes:
        with TokenClassifier.load(bundle, "cpu", "fp32") as classifier:
            topics = Topics("in", "out", "dead", "status")
            answerer = Answerer(AsyncTokenClassifier(classifier), topics, Decoding(thresholds=thresholds))
            return (await answerer.reply(IncomingMessage("in", json.dumps({"text": TEXT}).encode()))).payload

    return list(json.loads(asyncio.run(reply()))["entities"])


WAYS = (with_python, with_predict, with_tag, with_batches, with_http, with_open_inference, with_mqtt)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_service_has_the_bundle_s_defaults_and_obeys_its_caller(
    way: Callable[..., Found], scored: Path, classifier: TokenClassifier, run: Callable[..., Any]
) -> None:
    by_words = classifier.predict(TEXT, Decoding("first"))
    with TokenClassifier.load(scored, "cpu", "fp32") as scaled:
        scores = [entity.score for entity in scaled.predict(TEXT, Decoding(thresholds={}))]
    everything = [
        asdict(entity) | {"score": pytest.approx(score, abs=1e-4)}
        for entity, score in zip(by_words, scores, strict=True)
    ]
    for given, holding in ((None, SCORES["thresholds"]), ({}, {}), (EXPLICIT, EXPLICIT)):
        expected = [
            each for each, score in zip(everything, scores, strict=True)
            if score >= holding.get(each["label"], 0)  # type: ignore[attr-defined]
        ]  # fmt: skip
        assert 0 < len(expected) < len(everything) or not holding
        assert way(scored, given, run) == expected


def test_explain_names_the_settings(scored: Path) -> None:
    with TokenClassifier.load(scored, "cpu", "fp32") as classifier:
        found = classifier.explain()
    assert (found.temperature, found.thresholds, found.aggregation) == (2.5, SCORES["thresholds"], "first")
    assert "scores    at temperature 2.5; aggregation first; thresholds: ACTION 0.5, FAULT 0.9" in str(found)


def test_words_are_labelled_by_the_bundle_s_aggregation_where_a_call_has_none(scored: Path, edit: Edit) -> None:
    words = TEXT.split()
    with TokenClassifier.load(scored, "cpu", "fp32") as classifier:
        assert classifier.tag(words, Decoding(strict=True)) == classifier.tag(words, Decoding("first", strict=True))
    with (
        TokenClassifier.load(edit(scores={}), "cpu", "fp32") as classifier,
        pytest.raises(UserInputError, match="aggregation 'simple' labels subwords"),
    ):
        classifier.tag(words, Decoding(strict=True))


def test_thresholds_are_given_or_switched_off_but_not_both(scored: Path, run: Callable[..., Any]) -> None:
    done = run("predict", scored, "--threshold", "ACTION=0.5", "--no-thresholds", TEXT)
    assert done.code == 2 and "give --threshold or --no-thresholds, not both" in done.err


# --- settings that no bundle can have


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"temperature": 0}, ".scores.temperature: found 0.0, expected 0.01 to 100"),
        ({"temperature": 1e9}, ".scores.temperature: found 1000000000.0, expected 0.01 to 100"),
        ({"temperature": "hot"}, ".scores.temperature: expected a number"),
        ({"thresholds": {"PUMP": 0.5}}, '.scores.thresholds: found "PUMP", expected one of ACTION'),
        ({"thresholds": {"ACTION": 1.5}}, ".scores.thresholds.ACTION: found 1.5, expected a score from 0 to 1"),
        ({"thresholds": [0.5]}, ".scores.thresholds: expected an object"),
        ({"aggregation": "mean"}, '.scores.aggregation: found "mean", expected one of none'),
    ],
)
def test_settings_out_of_range_are_refused_with_their_field(wrong: dict[str, Any], message: str, edit: Edit) -> None:
    with pytest.raises(BundleError) as caught:
        read_manifest(edit(scores=wrong))
    assert message in caught.value.message


def test_a_runtime_that_does_not_know_the_settings_refuses_the_bundle(scored: Path) -> None:
    assert read_manifest(scored).critical == ("scores",)
    with pytest.raises(BundleError, match="marks fields as critical"):
        require_known(scored, ["scores"])
