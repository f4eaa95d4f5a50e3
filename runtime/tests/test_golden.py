"""Golden vectors: what passes, and each fault that they are there to find."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.bundle.manifest import read_manifest
from edgener_runtime.bundle.store.store import BundleChecks, Store
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.commissioning.selftest.run import require_selftest
from edgener_runtime.errors import BundleError, EdgenerError, ParityError
from edgener_runtime.golden import check_golden, checked, smallest_lead
from edgener_runtime.pipeline import TokenLogits

from .bundle_files.wire_edit import Field, decode, encode
from .conftest import GOLDEN_BAND, GOLDEN_LIMIT, GOLDEN_TEXTS, Done

HERE = Path(__file__).parent
Edit = Callable[..., Path]
Relist = Callable[[Path], None]
TRUE_LOGITS = TokenClassifier.logits


def check(bundle: Path, variant: str = "int8-dynamic") -> Any:
    with TokenClassifier.load(bundle, "cpu", variant) as classifier:
        return check_golden(classifier)


# --- what passes


@pytest.mark.compat
@pytest.mark.parametrize("variant", ["fp32", "int8-dynamic"])
def test_a_whole_bundle_passes(golden_bundle: Path, variant: str) -> None:
    found = check(golden_bundle, variant)
    assert found.vectors == len(GOLDEN_TEXTS)
    assert found.median <= found.largest < GOLDEN_BAND / 2
    assert found.untested == ("LOCATION", "MEASUREMENT")


@pytest.mark.parametrize("folder", ["bundles/schema-1", "bundles/schema-2", "bundle"])
def test_a_bundle_from_before_has_none_and_passes(folder: str) -> None:
    assert check(HERE / folder) is None
    require_selftest(HERE / folder, "cpu", "int8-dynamic")


def test_thresholds_of_the_bundle_change_nothing(golden_bundle: Path, edit: Edit) -> None:
    every = dict.fromkeys(types_of(golden_bundle), 1.0)
    assert check(edit(scores={"temperature": 2.0, "thresholds": every, "aggregation": "max"}))


def test_types_that_no_vector_has_are_named(golden_bundle: Path, edit: Edit) -> None:
    assert check(changed_vectors(golden_bundle, edit, entities=None)).untested == types_of(golden_bundle)


def test_any_text_may_be_one(golden_bundle: Path, edit: Edit, run: Callable[..., Done]) -> None:
    hostile = "\x1b[2J\u202e\ud800 pump"
    vector = vectors_of(golden_bundle)[0] | {"text": hostile}
    edit("variants", INT8, golden=golden_of(golden_bundle) | {"vectors": [vector]})
    with pytest.raises(ParityError, match="split into other subwords") as caught:
        check(golden_bundle)
    assert "\x1b" not in caught.value.message
    shown = run("verify", golden_bundle, "--json")
    assert shown.code == 0 and "\x1b" not in shown.out and "\u202e" not in shown.out


@pytest.mark.parametrize(
    ("logits", "lead"),
    [([[1.0, 3.0, 2.5], [9.0, 0.0, 0.0]], 0.5), ([[4.0]], float("inf")), (np.zeros((0, 3)), float("inf"))],
)
def test_the_smallest_lead(logits: Any, lead: float) -> None:
    assert smallest_lead(np.array(logits, dtype=np.float32)) == lead


# --- what fails


def changed_weights(bundle: Path, relist: Relist, variant: str = "int8-dynamic") -> Path:
    """The bundle with a variant whose layer norms scale by a twentieth more, and hashes that fit."""

    def scaled(tensor: list[Field]) -> list[Field]:
        name = next(field.data for field in tensor if field.number == 8)
        if not name.endswith(b"LayerNorm.weight"):
            return tensor
        grown = (np.frombuffer(next(f.data for f in tensor if f.number == 9), np.float32) * np.float32(1.05)).tobytes()
        return [replace(field, data=grown) if field.number == 9 else field for field in tensor]

    def graph(fields: list[Field]) -> list[Field]:
        return [replace(f, data=encode(scaled(decode(f.data)))) if f.number == 5 else f for f in fields]

    file = bundle / "variants" / f"{variant}.onnx"
    model = [replace(f, data=encode(graph(decode(f.data)))) if f.number == 7 else f for f in decode(file.read_bytes())]
    file.write_bytes(encode(model))
    relist(bundle)
    return bundle


@pytest.mark.parametrize("variant", ["fp32", "int8-dynamic"])
def test_changed_weights_are_found(golden_bundle: Path, relist: Relist, variant: str) -> None:
    verify_bundle(changed_weights(golden_bundle, relist, variant))
    with pytest.raises(ParityError, match=r"4 of 5 golden vectors .*; text 2 \(text 1\): the largest logit of "):
        check(golden_bundle, variant)


def test_another_tokenizer_is_found(golden_bundle: Path, relist: Relist) -> None:
    file = golden_bundle / "tokenizer.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    words = record["model"]["vocab"]
    words["new"], words["order"] = words["order"], words["new"]
    file.write_text(json.dumps(record), encoding="utf-8")
    relist(golden_bundle)
    verify_bundle(golden_bundle)
    with pytest.raises(ParityError, match="it is split into other subwords"):
        check(golden_bundle)


def drifting(by: float) -> Callable[..., Iterator[TokenLogits]]:
    """Logits as of a kernel that computes otherwise: label 3 gets more."""

    def logits(self: TokenClassifier, texts: Iterable[str], padding: int = 0) -> Iterator[TokenLogits]:
        for scored in TRUE_LOGITS(self, texts, padding):
            drift = np.zeros(scored.logits.shape[-1], np.float32)
            drift[3] = by
            yield replace(scored, logits=scored.logits + drift)

    return logits


def test_answers_that_drift_are_found(golden_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TokenClassifier, "logits", drifting(by=0.8 * GOLDEN_BAND))
    assert 0.07 < check(golden_bundle).median < GOLDEN_BAND
    monkeypatch.setattr(TokenClassifier, "logits", drifting(by=1.2 * GOLDEN_BAND))
    with pytest.raises(ParityError, match=r"half of the 5 golden vectors differ by 0\.12 or more"):
        check(golden_bundle)
    monkeypatch.setattr(TokenClassifier, "logits", drifting(by=1.2 * GOLDEN_LIMIT))
    with pytest.raises(ParityError, match=r"4 of 5 golden vectors .* within 0\.2"):
        check(golden_bundle)


def test_one_text_of_five_may_drift_within_the_limit(golden_bundle: Path, edit: Edit) -> None:
    vectors = vectors_of(golden_bundle)
    vectors[1]["logits"][3] += 1.5 * GOLDEN_BAND
    edit("variants", INT8, golden=golden_of(golden_bundle) | {"vectors": vectors})
    assert GOLDEN_BAND < check(golden_bundle).largest < GOLDEN_LIMIT


def test_another_entity_is_found(golden_bundle: Path, edit: Edit) -> None:
    vectors = vectors_of(golden_bundle)
    vectors[1]["entities"][0]["end"] += 1
    edit("variants", INT8, golden=golden_of(golden_bundle) | {"vectors": vectors})
    with pytest.raises(ParityError, match=r"1 of 5 .* \(text 1\): it has the entities PART_NUMBER .*, expected PART"):
        check(golden_bundle)


def test_a_classifier_that_fails_is_closed(golden_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[TokenClassifier] = []

    def load(bundle: Path) -> TokenClassifier:
        opened.append(TokenClassifier.load(bundle, "cpu", "int8-dynamic"))
        return opened[-1]

    with checked(load)(golden_bundle) as whole:
        assert whole.predict("oil leak") is not None
    monkeypatch.setattr(TokenClassifier, "logits", drifting(by=1))
    with pytest.raises(ParityError):
        checked(load)(golden_bundle)
    with pytest.raises(EdgenerError, match="was closed"):
        opened[-1].predict("oil leak")


# --- a manifest whose golden vectors cannot be

INT8 = 0  # its place in the root


def golden_of(bundle: Path) -> dict[str, Any]:
    return dict(json.loads((bundle / "variants" / "int8-dynamic.json").read_text(encoding="utf-8"))["golden"])


def vectors_of(bundle: Path) -> list[dict[str, Any]]:
    return list(golden_of(bundle)["vectors"])


def types_of(bundle: Path) -> tuple[str, ...]:
    return read_manifest(bundle).label_set.types


def changed_vectors(bundle: Path, edit: Edit, **fields: Any) -> Path:
    changed = [vector | fields for vector in vectors_of(bundle)]
    return edit("variants", INT8, golden=golden_of(bundle) | {"vectors": changed})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"logits": [1.5]}, r"golden\.vectors\[0\]\.logits: found \[1.5\], expected 15 numbers, one for each label"),
        ({"subwords": "many"}, r"golden\.vectors\[0\]\.subwords: found \"many\", expected 16 hex digits"),
        ({"entities": [{"label": "X", "start": 0, "end": 1}]}, r"entities: found \"X\", expected one of ACTION, "),
        ({"entities": [{"label": "ACTION", "start": 3, "end": 999}]}, r"found \[3, 999\], expected characters of a"),
        ({"entities": [{"label": "ACTION", "start": 0}]}, r"entities\[0\]: field 'end' is missing"),
        ({"text": 5}, r"golden\.vectors\[0\]\.text: expected a text, found 5"),
        ({"chosen": "\x1b"}, r"golden\.vectors\[0\]\.chosen: \"\\u001b\" has the character"),
    ],
)
def test_a_malformed_vector_is_named(golden_bundle: Path, edit: Edit, fields: dict[str, Any], message: str) -> None:
    changed_vectors(golden_bundle, edit, **fields)
    with pytest.raises(BundleError, match=message):
        read_manifest(golden_bundle)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"vectors": []}, r"golden\.vectors: found \[\], expected at least one"),
        ({"band": 0}, r"golden\.band: found 0\.0, expected a number above 0, and at most"),
        ({"limit": 0.05}, r"golden\.band: found 0\.1, expected a number above 0, and at most the limit of 0\.05"),
        ({"vectors": None}, r"golden\.vectors: expected a list, found null"),
    ],
)
def test_a_malformed_set_is_named(golden_bundle: Path, edit: Edit, fields: dict[str, Any], message: str) -> None:
    edit("variants", INT8, golden=golden_of(golden_bundle) | fields)
    with pytest.raises(BundleError, match=message):
        read_manifest(golden_bundle)


# --- at install


def store(root: Path) -> Store:
    return Store(root, BundleChecks(selftest=lambda bundle: require_selftest(bundle, "cpu", "int8-dynamic")))


def test_a_bundle_that_fails_leaves_the_last_one_active(
    bundle: Path, golden_bundle: Path, relist: Relist, tmp_path: Path
) -> None:
    active = store(tmp_path / "store").install(bundle)
    with pytest.raises(EdgenerError, match="failed at golden: 4 of 5 golden vectors") as caught:
        store(tmp_path / "store").install(changed_weights(golden_bundle, relist))
    assert caught.value.exit_code == 3
    found = store(tmp_path / "store").listing()
    assert found.active == active.version
    assert "golden" in str(found.events[-1].reason)


def test_a_service_goes_on_with_the_last_good_one(
    bundle: Path, golden_bundle: Path, relist: Relist, tmp_path: Path
) -> None:
    kept = Store(tmp_path / "store", trial=0).install(bundle)
    Store(tmp_path / "store").install(changed_weights(golden_bundle, relist))  # with no selftest
    load = checked(lambda folder: TokenClassifier.load(folder, "cpu", "int8-dynamic"))
    with Store(tmp_path / "store").load(load) as classifier:
        assert classifier.manifest.version == kept.version
    assert "golden vectors" in str(Store(tmp_path / "store").listing().events[-1].reason)


@pytest.mark.parametrize("command", ["serve", "mqtt"])
def test_a_service_that_fails_at_its_start_ends(
    golden_bundle: Path, relist: Relist, run: Callable[..., Done], command: str
) -> None:
    pytest.importorskip({"serve": "uvicorn", "mqtt": "paho"}[command])
    changed_weights(golden_bundle, relist)
    port = ("--port", "0") if command == "serve" else ()
    found = run(command, golden_bundle, *port, "--variant", "int8-dynamic", "--device", "cpu", "--selftest-every", "0")
    assert found.code == 3
    assert "4 of 5 golden vectors have another answer here" in found.err
