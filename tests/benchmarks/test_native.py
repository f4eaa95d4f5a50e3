"""The benchmark of int8-native: variants in turns, a CPU without AVX-512, and that it finds what is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks.native import __main__ as command
from benchmarks.native import avx2, worker
from benchmarks.native.base import base_bundle
from benchmarks.native.goals import GOALS, Goal, goals_table
from benchmarks.native.leads import lead, same_bits
from benchmarks.native.parts import FP32, INT8, PARTS
from benchmarks.native.process import measured
from benchmarks.native.table import markdown
from benchmarks.native.texts import OF_EACH, of_lengths
from benchmarks.native.turns import milliseconds, rounds, share, turn
from benchmarks.native.worker import Job
from click.testing import CliRunner, Result

from edgener.data.types import Dataset
from edgener.parity.budgets import Budget
from edgener.pipeline import ExportSpec, export_bundle
from edgener_exporters.variants import VARIANTS
from edgener_runtime.bundle.manifest import MANIFEST
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.commissioning.bench.results.record import Interval
from edgener_runtime.errors import DeviceError, ProviderError, UserInputError
from edgener_runtime.machine.cpu import isa
from edgener_runtime.machine.operators import missing_operators

from ..conftest import BuildOnce

MACHINE = {
    "cpu": "a CPU", "isa": "avx2", "date": "2026-01-02T03:04", "load_average": [0.5], "onnxruntime": "1", "quick": True,
    "operators": "operators", "data": "some data",
}  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]
FACTORY = "builtin:factory"


def test_every_round_has_all_variants_and_none_always_follows_the_same() -> None:
    assert list(rounds(0)) == [0, 1, 2, 3, 4]
    assert turn({"a": 1, "b": 2, "c": 3}, 0) == ["a", "b", "c"]
    assert turn(["a", "b", "c"], 1) == ["c", "b", "a"]


def test_rounds_go_on_until_the_time_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("benchmarks.native.turns.time.monotonic", lambda: next(clock))
    assert len([*rounds(7, least=2)]) == 8


def test_the_rounds_have_all_texts_between_them() -> None:
    texts = [*"abcdefg"]
    assert sorted(text for number in range(3) for text in share(texts, number, 3)) == texts
    assert share(["only"], 2, 3) == ["only"]


def test_a_turn_runs_at_least_once_after_a_run_that_does_not_count() -> None:
    ran: list[str] = []
    assert milliseconds(ran.append, ["x"], 0) > 0
    assert len(ran) >= 2


def test_a_lead_is_above_one_where_ours_is_ahead() -> None:
    ours, others = [1.0, 2.0, 4.0, 1.0, 1.0], [1.5, 3.0, 8.0, 1.5, 1.0]
    time = lead(ours, others)
    assert (time.value, time.low, time.high) == (1.5, 1.0, 2.0)
    assert lead(others, ours, higher_is_better=True) == time


@pytest.mark.parametrize(
    ("low", "high", "least", "most"),
    [(1.1, 1.3, "yes", "no"), (0.8, 0.9, "no", "yes"), (0.9, 1.1, "open", "open"), (1.0, 1.0, "yes", "yes")],
)
def test_a_goal_is_judged_by_the_whole_interval(low: float, high: float, least: str, most: str) -> None:
    goal, found = Goal("x", "speed", 1.0, lambda figures: []), Interval((low + high) / 2, low, high)
    assert (goal.verdict(found), replace(goal, is_most=True).verdict(found)) == (least, most)


def test_the_worst_of_all_lengths_and_cores_counts() -> None:
    grid = {
        cores: {"milliseconds": {at: {"int8-native": [1.0] * 6, "int8-dynamic": [base] * 6} for at, base in found}}
        for cores, found in {"1": [("8", 1.5), ("512", 1.2)], "2": [("8", 0.9)]}.items()
    }
    assert goals_table({"lengths": {"figures": grid}}).splitlines()[2:] == [
        "| any length, times as soon as int8-dynamic | at least 1.00 | 0.90 | no |"
    ]
    assert goals_table({"avx2": {"figures": {"not_measured": "here"}}}).count("\n") == 2
    assert {goal.part for goal in GOALS} == set(PARTS)


def subwords(texts: Any) -> int:
    """Of a tokenizer that knows short words and cuts others in two."""
    return sum(1 if len(word) < 5 else 2 for text in texts for word in text.split())


def test_texts_have_the_subwords_that_are_asked_for() -> None:
    made = of_lengths(["oil leak at pump", "compressor off"], subwords, 2, (3, 16))
    assert {at: [subwords([text]) + 2 for text in some] for at, some in made.items()} == {"3": [3] * 4, "16": [16] * 4}
    assert not any("compressor" in text for some in made.values() for text in some)
    assert len(made["16"]) == OF_EACH


def test_texts_whose_words_join_are_refused() -> None:
    def joined(texts: Any) -> int:
        return len(texts)

    with pytest.raises(UserInputError, match="texts for 16 subwords have 3: words join"):
        of_lengths(["泵 漏"], joined, 2, (16,))
    with pytest.raises(UserInputError, match="no word of the data"):
        of_lengths(["compressors"], subwords, 2, (16,))


CODE = bytes.fromhex
ASKS = {
    "after xor ecx": CODE("31c9 0f01d0 89c283e206"),
    "before the halves are joined": CODE("4889d5 0f01d0 89c048c1e220"),
}
OTHERS = {"and, add": CODE("83e00f 01d0 41f604"), "rotate, add": CODE("c1c80f 01d0 c1ce0f")}


@pytest.mark.parametrize("code", ASKS.values(), ids=ASKS)
def test_the_question_for_registers_is_answered_in_a_copy(code: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(b"\x90" + code)
    assert avx2._without_avx512(tmp_path / "x.so") == 1
    assert (tmp_path / "x.so").read_bytes() == b"\x90" + code.replace(CODE("0f01d0"), CODE("6a0758"))


@pytest.mark.parametrize("code", OTHERS.values(), ids=OTHERS)
def test_the_same_bytes_within_instructions_stay(code: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(code)
    assert avx2._without_avx512(tmp_path / "x.so") == 0
    assert (tmp_path / "x.so").read_bytes() == code


@pytest.fixture
def operators() -> None:
    if missing := missing_operators(1):
        pytest.skip(f"int8-native does not run here: {missing.what}")


@pytest.fixture
def avx512(operators: None) -> None:
    if "avx512_vnni" not in isa() or "avx_vnni" in isa():
        pytest.skip("AVX2 is told from VNNI on CPUs with AVX-512 VNNI and without AVX-VNNI")


@pytest.mark.compat
@pytest.mark.usefixtures("avx512")
def test_copies_without_avx512_run_on_avx2(tmp_path: Path) -> None:
    assert avx2.restricted(tmp_path) == ["avx2"]


@pytest.mark.usefixtures("avx512")
def test_a_copy_that_still_has_avx512_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avx2, "_without_avx512", lambda file: 1)
    with pytest.raises(DeviceError, match="does not saturate"):
        avx2.restricted(tmp_path)


def test_a_library_that_asks_in_another_way_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avx2, "_without_avx512", lambda file: 0)
    with pytest.raises(DeviceError, match="onnxruntime does not ask"):
        avx2.restricted(tmp_path)


def test_one_arrangement_with_other_bits_is_found() -> None:
    same = {cores: {"alone": "a", "together": "a"} for cores in "12"}
    assert same_bits(same)
    assert not same_bits(same | {"2": {"alone": "a", "together": "b"}})


class Fickle:
    """Answers the 8th call otherwise."""

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, text: str) -> list[str]:
        self.calls += 1
        return [text, str(self.calls == 8)]

    def predict_batch(self, texts: list[str]) -> list[list[str]]:
        return [self.predict(text) for text in texts]


def test_a_soak_counts_answers_that_change(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def loaded(job: Job) -> Iterator[dict[str, Fickle]]:
        yield {"x": Fickle()}

    monkeypatch.setattr(worker, "_loaded", loaded)
    found = worker.soak(Job("soak", "", 1, texts=("a", "b", "c"), count=7))
    assert (found["texts"], found["different"], len(found["passes"])) == (7, 1, 3)


def test_a_worker_that_fails_says_why() -> None:
    with pytest.raises(DeviceError, match="KeyError: 'dance'"):
        measured(Job("dance", "", 1))
    with pytest.raises(DeviceError, match="soak needs 4096"):
        measured(Job("soak", "", 4096))


def test_a_bundle_without_the_variants_is_refused_with_the_export_that_makes_them() -> None:
    with pytest.raises(UserInputError, match="the bundle has no int8-native") as caught:
        command.require_variants(verify_bundle(ROOT / "runtime" / "tests" / "bundle"))
    assert "--variant int8-native,int8-dynamic,int8-rowwise,fp32" in str(caught.value.hint)


@pytest.fixture(scope="module")
def bundle(trained: Path, small_factory: dict[str, Dataset], build_once: BuildOnce) -> Path:
    """The 2-layer BERT with all variants that are compared."""
    if missing := missing_operators(1):
        pytest.skip(f"int8-native does not run here: {missing.what}")
    variants = tuple(VARIANTS[name] for name in (*INT8, FP32))
    spec = ExportSpec(variants, small_factory["test"], (Budget("churn", 1.0),), calibration=small_factory["train"])
    return build_once("native-bench", lambda folder: export_bundle(trained, folder / "bundle", spec)) / "bundle"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command.bench, [*map(str, arguments), "--data", FACTORY, "--quick"])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_all_parts_are_measured_and_shown(bundle: Path, trained: Path, tmp_path: Path) -> None:
    done = run(bundle, "--checkpoint", trained, "--out", tmp_path / "native.json")
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "native.json").read_text())
    parts = {name: part["figures"] for name, part in record["native"].items()}
    assert set(parts) == set(PARTS)
    assert {name: len(own["p50_ms"]) for name, own in parts["speed"]["2"]["rounds"].items()} == dict.fromkeys(
        (*INT8, FP32), 5
    )
    assert parts["faithful"][FACTORY]["int8-native"]["batch_effect"]["value"] == 0
    assert same_bits(parts["faithful"][FACTORY]["int8-native"]["digests"])
    assert parts["soak"]["different"] == 0 and parts["soak"]["texts"] == 100
    assert parts["memory"]["1"]["fp32"]["loaded"] > parts["memory"]["1"]["fp32"]["libraries"]
    for heading in ("Sentences, alone and together", "A text alone, by its subwords", "Against PyTorch", "Soak"):
        assert heading in done.output


@pytest.mark.usefixtures("cache")
def test_a_run_completes_the_parts_of_an_earlier_one(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "native.json"
    earlier = MACHINE | {"figures": {"not_measured": "of an earlier run"}}
    held = {"bytes": 1, "threads": 1, "files": 1}
    soak = {"texts": 1, "different": 9, "before": held, "passes": [held], "closed": held}
    out.write_text(json.dumps({"native": {"avx2": earlier, "soak": MACHINE | {"figures": soak}}}))
    done = run(bundle, "--only", "lengths,soak", "--out", out)
    assert done.exit_code == 0, done.output
    native = json.loads(out.read_text())["native"]
    assert native["avx2"] == earlier and native["soak"]["figures"]["different"] == 0
    assert {at: set(found) for at, found in native["lengths"]["figures"]["2"]["milliseconds"].items()} == {
        "8": set(INT8),
        "32": set(INT8),
    }
    assert "of an earlier run" in out.with_suffix(".md").read_text()


@pytest.mark.parametrize("text", ["no JSON", '{"rows": []}'])
def test_another_file_is_not_completed(text: str, tmp_path: Path) -> None:
    (tmp_path / "peers.json").write_text(text)
    with pytest.raises(UserInputError, match=r"peers.json is no result of this benchmark"):
        command._earlier(tmp_path / "peers.json")


def test_data_are_named_without_the_folders_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "maintie").mkdir()
    (tmp_path / "maintie" / "gold.json").touch()
    names = [command._name(str(each)) for each in (tmp_path / "maintie", tmp_path / "maintie" / "gold.json", FACTORY)]
    assert names == ["maintie", "maintie/gold.json", FACTORY]


def test_an_unknown_part_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "--only", "speed,pace", "--out", tmp_path / "native.json")
    assert done.exit_code == 2 and "there is no part 'pace'" in done.output


@pytest.mark.usefixtures("bundle")
def test_without_a_checkpoint_all_but_faithfulness_is_measured(
    monkeypatch: pytest.MonkeyPatch, cache: Path, bundle: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "_measured", lambda *_: MACHINE | {"figures": {}})
    monkeypatch.setattr(command, "markdown", str)
    monkeypatch.setattr(command, "page", str)
    done = run(bundle, "--out", tmp_path / "native.json")
    assert done.exit_code == 0 and "faithful is left out" in done.output
    assert set(json.loads((tmp_path / "native.json").read_text())["native"]) == set(PARTS) - {"faithful"}


@pytest.mark.usefixtures("cache")
def test_faithfulness_needs_the_checkpoint(bundle: Path, tmp_path: Path) -> None:
    done = run(bundle, "--only", "faithful", "--out", tmp_path / "native.json")
    assert isinstance(done.exception, UserInputError) and "--checkpoint" in str(done.exception.hint)


def test_without_the_operators_it_is_an_error_with_the_install_line(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "edgener_ops", None)
    with pytest.raises(ProviderError, match="int8-native does not run here") as caught:
        command.require_variants(verify_bundle(bundle))
    assert "[ops]" in str(caught.value.hint)


def test_the_large_model_is_made_once(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = base_bundle(bundle, tmp_path, INT8[1:2], ["oil leak at the pump"] * 20, layers=1)
    monkeypatch.setattr("benchmarks.native.base._write", None)
    assert base_bundle(bundle, tmp_path, INT8[1:2], [], layers=1) == made
    assert (made / MANIFEST).is_file() and [entry.name for entry in verify_bundle(made).variants] == ["int8-dynamic"]


def test_what_could_not_be_measured_is_said() -> None:
    shown = markdown({"native": {"avx2": MACHINE | {"figures": {"not_measured": "this CPU may have AVX-VNNI"}}}})
    assert "## Without AVX-512\n" in shown and shown.endswith("\n\nNot measured: this CPU may have AVX-VNNI\n")
    assert "load average 0.5 at the end" in shown and "--quick" in shown
