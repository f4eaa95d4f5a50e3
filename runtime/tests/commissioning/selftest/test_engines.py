"""The checks of engines, on doubles: a CPU session stands in for TensorRT's, and a function for its builder.

They show that the checks see what they should see, and nothing of TensorRT, which no machine of ours can run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgener_runtime import DeviceError, ProviderError, TokenClassifier
from edgener_runtime.backends.tensorrt.paths import engine_file, engines_folder, sidecar_file
from edgener_runtime.backends.tensorrt.profiles import Profile
from edgener_runtime.backends.tensorrt.sidecar import Sidecar
from edgener_runtime.base.serde import to_json
from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.commissioning.engines import build
from edgener_runtime.commissioning.selftest import engines
from edgener_runtime.commissioning.selftest.accuracy import labels
from edgener_runtime.commissioning.selftest.answers import answer_all
from edgener_runtime.commissioning.selftest.context import SelftestContext, SelftestRequest
from edgener_runtime.errors import ParityError

PROFILES = (Profile((1, 1), (1, 8), (1, 16)), Profile((1, 1), (4, 16), (4, 64)))


def sidecar(seconds: float = 3.0) -> Sidecar:
    return Sidecar("tensorrt", "10.3.0", "Orin", ("8.7",), "12.6", "fp32", "", "", 5_000_000, PROFILES, (), (), seconds)


@pytest.fixture
def context(copy: Path) -> Iterator[SelftestContext]:
    """FP32 on the CPU, which says that it is TensorRT, with a sidecar and a cache of timings beside the bundle."""
    engine = engine_file(copy, "fp32")
    engine.parent.mkdir()
    engine.write_bytes(b"an engine")
    sidecar_file(engine).write_text(to_json(sidecar()), encoding="utf-8")
    (engine.parent / "timing-orin-10.3.0.cache").write_bytes(b"timings")
    with SelftestContext(SelftestRequest(copy, "cpu", "fp32")) as made:
        made.manifest = verify_bundle(copy)
        made.classifier = TokenClassifier.load(copy, "cpu", "fp32")
        made.classifier.provider = "TensorRT"
        made.answers = answer_all(made.classifier, made.texts)
        yield made


@pytest.fixture
def on_the_cpu(bundle: Path) -> Iterator[SelftestContext]:
    with SelftestContext(SelftestRequest(bundle, "cpu", "fp32")) as made:
        made.manifest = verify_bundle(bundle)
        made.classifier = TokenClassifier.load(bundle, "cpu", "fp32")
        yield made


@pytest.mark.parametrize("check", [engines.corners, engines.reload, engines.timing_cache])
def test_what_is_not_a_engine_is_skipped(check: Callable[[SelftestContext], Any], on_the_cpu: SelftestContext) -> None:
    assert (check(on_the_cpu).status, check(on_the_cpu).detail) == ("skipped", "no TensorRT engine runs here")


# --- corners


def plant(
    context: SelftestContext, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Any], Any]
) -> list[tuple[int, ...]]:
    """Let answers go through `fault`; returns the shapes that are asked from then on."""
    run, asked = context.classifier.run, []

    def faulty(inputs: dict[str, Any]) -> Any:
        asked.append(inputs["input_ids"].shape)
        return fault(run(inputs))

    monkeypatch.setattr(context.classifier, "run", faulty)
    return asked


def test_every_corner_of_every_profile_is_run(context: SelftestContext, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = plant(context, monkeypatch, lambda logits: logits)
    outcome = engines.corners(context)
    assert asked == [(1, 1), (1, 8), (1, 16), (4, 16), (4, 64)]
    assert outcome.detail.startswith("5 shapes of 2 profiles run, logits within ")
    assert outcome.figures["corners_largest_logit_difference"] < 1e-4


def test_a_corner_with_other_numbers_is_named(context: SelftestContext, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(context, monkeypatch, lambda logits: logits + 9 * (logits.shape[:2] == (4, 16)))
    with pytest.raises(ParityError, match=r"logits of shape 4x16 are 9 from the CPU's, 0\.01 allowed"):
        engines.corners(context)


def test_a_corner_that_is_not_a_number_ends_it(context: SelftestContext, monkeypatch: pytest.MonkeyPatch) -> None:
    run = context.classifier.engine.session.run
    monkeypatch.setattr(context.classifier.engine.session, "run", lambda feeds: run(feeds) * np.float32("nan"))
    with pytest.raises(ParityError, match="not finite"):
        engines.corners(context)


def test_without_a_reference_numbers_have_to_be_finite(
    context: SelftestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgener_runtime.commissioning.selftest.answers.reference_of", lambda *arguments: None)
    assert engines.corners(context).detail == "5 shapes of 2 profiles run, every number finite"


def test_without_an_onnxruntime_there_is_no_reference(
    context: SelftestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a Jetson with TensorRT alone."""

    def absent(*arguments: Any) -> Any:
        raise ProviderError("onnxruntime cannot be loaded: No module named 'onnxruntime'")

    monkeypatch.setattr(TokenClassifier, "load", absent)
    assert engines.corners(context).detail.endswith("every number finite")
    outcome = labels(context)
    assert outcome.status == "skipped" and "no reference on this CPU: onnxruntime cannot be loaded" in outcome.detail


# --- loaded again


def test_the_same_answers_from_a_second_load_pass(context: SelftestContext) -> None:
    outcome = engines.reload(context)
    assert outcome.detail.endswith("the same answers") and outcome.figures["reload_seconds"] > 0


def test_other_answers_from_a_second_load_are_3(context: SelftestContext) -> None:
    zeros = " ".join("0" for _ in context.answers[0].logits.split())
    context.answers = (replace(context.answers[0], logits=zeros), *context.answers[1:])
    with pytest.raises(ParityError, match="gives other answers after loading it again"):
        engines.reload(context)


# --- built again


@dataclass
class Builder:
    """A double of `build_engine`: takes so many seconds, and writes the given bytes into the cache."""

    seconds: float = 1.0
    cache: bytes = b"timings"
    calls: int = 0

    def __call__(self, bundle: Path, entry: VariantEntry, profiles: Any, request: build.BuildRequest) -> Sidecar:
        assert (bundle / entry.file.path).is_file() and entry.name == "fp32"
        self.calls += 1
        self.profiles = profiles
        self.bundle = bundle
        if request.timing_cache:
            (request.timing_cache / "timing-orin-10.3.0.cache").write_bytes(self.cache)
        return sidecar(self.seconds)


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Builder:
    made = Builder()
    monkeypatch.setattr(build, "build_engine", made)
    return made


@pytest.mark.parametrize(("seconds", "cache"), [(1.0, b"timings"), (5.0, b"timings"), (1.0, b"timings and more")])
def test_timings_that_were_of_use_pass(
    seconds: float, cache: bytes, context: SelftestContext, builder: Builder
) -> None:
    builder.seconds, builder.cache = seconds, cache
    assert engines.timing_cache(context).figures == {"second_build_seconds": seconds}
    assert builder.calls == 1 and builder.profiles == PROFILES


def test_timings_that_were_of_no_use_fail(context: SelftestContext, builder: Builder) -> None:
    builder.seconds, builder.cache = 3.0, b"timings and more"
    with pytest.raises(DeviceError, match=r"the timing cache was not used: 3\.0 s, and 3\.0 s"):
        engines.timing_cache(context)


def test_the_engine_that_is_loaded_stays_and_nothing_is_left_behind(context: SelftestContext, builder: Builder) -> None:
    folder = engines_folder(context.request.bundle)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    engines.timing_cache(context)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert not builder.bundle.exists()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["copy", "copy.engines"]


def test_a_backend_without_timings_is_skipped(context: SelftestContext, builder: Builder) -> None:
    for file in engines_folder(context.request.bundle).glob("*.cache"):
        file.unlink()
    assert engines.timing_cache(context).detail == "tensorrt has no timing cache"
    assert builder.calls == 0


# --- built where there is none


def prepared(bundle: Path, device: str, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...] = ()) -> Any:
    """The outcome of `prepare` without this requirement of TensorRT."""
    monkeypatch.setattr(engines, "_missing", lambda *arguments: list(missing))
    context = SelftestContext(SelftestRequest(bundle, device, "fp32", texts=("oil leak at pump P-101",)))
    context.manifest = verify_bundle(bundle)
    return engines.prepare(context)


@pytest.mark.parametrize(
    ("device", "missing", "detail"),
    [
        ("cpu", ("engine",), "for tensorrt and jetson only"),
        ("auto", ("engine",), "for tensorrt and jetson only"),
        ("tensorrt", (), "it exists; loading checks it"),
        ("tensorrt", ("driver", "engine"), "none can be built here: driver, engine missing"),
        ("jetson", ("tensorrt",), "none can be built here: tensorrt missing"),
    ],
)
def test_nothing_is_built_where_it_need_not_or_cannot_be(
    device: str, missing: tuple[str, ...], detail: str, bundle: Path, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prepared(bundle, device, monkeypatch, missing).detail == detail
    assert builder.calls == 0


@pytest.mark.parametrize("device", ["tensorrt", "jetson"])
def test_an_engine_is_built_where_that_alone_is_missing(
    device: str, bundle: Path, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = prepared(bundle, device, monkeypatch, ("engine",))
    assert outcome.figures == {"build_seconds": 1.0, "engine_mb": 5.0}
    assert outcome.detail == "fp32 was built in 1.0 s for Orin"
    assert [profile.optimum for profile in builder.profiles] == [(1, 16), (8, 16)]  # of the text that was given


def test_this_machine_is_asked_what_it_is_missing(bundle: Path) -> None:
    entry = verify_bundle(bundle).variant("fp32")
    assert "engine" in engines._missing(bundle, entry)
