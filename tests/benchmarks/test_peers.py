"""The benchmark against peers: right entities before times, one awake at a time, and what a broken peer comes to."""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from benchmarks.peers import measure, models, run, worker
from benchmarks.peers.measure import Check, Round
from benchmarks.peers.record import to_json
from benchmarks.peers.report import Row, leads_of, row_of, speed_table
from benchmarks.peers.table import PEERS, REFERENCE, Peer, our_rows
from benchmarks.peers.tags import change_of, f1_of, tags_of
from rich.console import Console

from edgener.data.types import Sentence, Span
from edgener.parity.bootstrap import Estimate
from edgener.progress import untracked
from edgener_runtime import Decoding, TokenClassifier
from edgener_runtime.base.files import write_atomic
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import DeviceError, ExportError, ParityError, UserInputError
from edgener_runtime.inference.tuning import tuning_file

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "runtime" / "tests" / "bundle"
SENTENCE = Sentence("Anna sees New York", ((0, 4), (5, 9), (10, 13), (14, 18)), (Span("PER", 0, 1), Span("LOC", 2, 4)))
FOUND = [("PER", 0, 4), ("LOC", 10, 18)]
FAKE = Peer("fake", "fake", "fake", "right", "none", batches=(8, 16))

# A peer that knows the sentence; each of its forms fails in a way of its own.
FAKE_WORKER = f"""
import sys
sys.path.insert(0, {str(ROOT / "benchmarks" / "peers" / "workers")!r})
from protocol import serve

class Fake:
    def __init__(self, form):
        self.form = form
        self.calls = 0

    def predict(self, text):
        self.calls += 1
        if self.form == "dies" and self.calls > 1:
            sys.exit("out of luck")
        print("a library's chatter")
        return [] if self.form == "wrong" else {FOUND!r}

    def predict_batch(self, texts, batch):
        return [self.predict(text)[: 1 if self.form == "apart" else None] for text in texts]

serve(lambda setting: Fake(setting.form))
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> worker.Workplace:
    """A workplace with one environment, `fake`, whose worker needs nothing."""
    scripts, python = tmp_path / "here" / "workers", tmp_path / "envs" / "fake" / "bin" / "python"
    scripts.mkdir(parents=True)
    (scripts / "fake.py").write_text(FAKE_WORKER)
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setattr(worker, "HERE", tmp_path / "here")
    return worker.Workplace(
        tmp_path, tmp_path / "checkpoint", tmp_path / "bundle", tmp_path / "models", 1, SENTENCE.text
    )


@pytest.fixture
def workers_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a file of workers/, which are scripts beside each other."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "peers" / "workers"))
    before = set(sys.modules)
    yield importlib.import_module
    for name in {"protocol", "plain_loop"} - before:
        sys.modules.pop(name, None)


def plan(place: worker.Workplace, *peers: Peer, rounds: int = 2, every: int = 1) -> run.Plan:
    return run.Plan(peers, place, [SENTENCE] * 4, 16, rounds, every, reference=FAKE)


def row(name: str, ours: bool, p50: float, p95: float, speed: float) -> Row:
    rounds = [Round(p50 * part, p95 * part, p95 * part, speed / part, 100.0) for part in (0.9, 1.0, 1.3)]
    checked = Check(0.9, 0.89, p50, 1.0, Estimate(0.004, 0.002, 0.007), Estimate(0.005, 0.003, 0.008), None)
    return row_of(replace(FAKE, name=name, ours=ours), checked, 8, rounds, [0.2, 0.3, 0.4], 1.0)


def test_an_entity_becomes_the_tags_of_the_tokens_that_begin_in_it() -> None:
    assert tags_of(SENTENCE, FOUND) == ["B-PER", "O", "B-LOC", "I-LOC"]


def test_an_entity_that_begins_within_a_token_begins_at_the_next() -> None:
    assert tags_of(SENTENCE, [("LOC", 11, 18)]) == ["O", "O", "O", "B-LOC"]


def test_neighbouring_entities_stay_two() -> None:
    assert tags_of(SENTENCE, [("LOC", 10, 13), ("LOC", 14, 18)]) == ["O", "O", "B-LOC", "B-LOC"]


def test_f1_counts_whole_entities() -> None:
    assert f1_of([SENTENCE], [FOUND]) == 1
    assert f1_of([SENTENCE], [[("PER", 0, 4), ("LOC", 10, 13)]]) == 0.5


def test_a_peer_with_wrong_entities_stops_the_run_before_any_round(place: worker.Workplace) -> None:
    with pytest.raises(ParityError, match=r"fake finds entities with F1 0\.0000, the best peer with 1\.0000"):
        run.measure(plan(place, replace(FAKE, name="sound"), replace(FAKE, form="wrong")), untracked)


def test_every_peer_gets_a_row_of_medians_with_their_spread(place: worker.Workplace) -> None:
    rows = run.measure(plan(place, FAKE, replace(FAKE, name="other", batches=(0,))), untracked)
    assert [(found.name, found.f1_alone, found.f1_together) for found in rows] == [("fake", 1, 1), ("other", 1, 1)]
    assert rows[0].batch in FAKE.batches and rows[1].batch == 0
    for found in rows:
        assert 0 < found.p50_ms.low <= found.p50_ms.median <= found.p50_ms.high
        assert found.p50_ms.median <= found.p95_ms.median <= found.p99_ms.median
        assert min(found.subwords_per_second.low, found.rss_mb.low, found.cold_start_s.low) > 0


def test_rounds_take_the_peers_in_turns(place: worker.Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def noted(asked: worker.Worker, *arguments: Any) -> Round:
        taken.append(asked.peer.name)
        return Round(1, 1, 1, 1, 1)

    monkeypatch.setattr(run, "one_round", noted)
    run.measure(plan(place, FAKE, replace(FAKE, name="other"), rounds=3), untracked)
    assert taken == ["fake", "other"] * 3


def test_only_the_worker_that_is_measured_is_awake(place: worker.Workplace) -> None:
    with measure.started([FAKE, FAKE], place, [SENTENCE.text], lambda: None) as (first, second):
        assert states(first, second) == "TT"
        with second.awake():
            assert states(first)[0] == "T"
            assert second.ask("latency", entities=True)["entities"] == [[list(entity) for entity in FOUND]]
        assert states(first, second) == "TT"


def states(*workers: worker.Worker) -> str:
    """The kernel's letter for each process, T where it is stopped; a signal takes a moment to arrive."""
    time.sleep(0.1)
    lines = [Path(f"/proc/{found._process.pid}/stat").read_text() for found in workers]
    return "".join(line.rsplit(")", 1)[1].split()[0] for line in lines)


def test_no_worker_outlives_the_run(place: worker.Workplace) -> None:
    with measure.started([FAKE, FAKE], place, [SENTENCE.text], lambda: None) as workers:
        processes = [found._process.pid for found in workers]
    assert not [process for process in processes if Path(f"/proc/{process}").exists()]


def test_every_so_many_th_text_is_timed_alone(place: worker.Workplace) -> None:
    with worker.Worker(FAKE, place) as found:
        found.ask("take", texts=[SENTENCE.text] * 5)
        assert len(found.ask("latency", every=2)["milliseconds"]) == 3


def test_a_worker_that_dies_is_told_with_its_last_word(place: worker.Workplace) -> None:
    with worker.Worker(replace(FAKE, form="dies"), place) as found:
        found.ask("take", texts=[SENTENCE.text])
        with pytest.raises(DeviceError, match="the worker of fake ended with exit code 1: out of luck"):
            found.ask("latency")


def test_streams_share_the_threads_among_runs(place: worker.Workplace) -> None:
    two = replace(place, threads=2)
    assert settings_of(FAKE, two) == (2, 1)
    assert settings_of(replace(FAKE, streams=True), two) == (1, 2)


def settings_of(peer: Peer, place: worker.Workplace) -> tuple[int, int]:
    """Threads and streams that the worker's command line asks for."""
    with worker.Worker(peer, place) as found:
        fields = json.loads(Path(f"/proc/{found._process.pid}/cmdline").read_bytes().split(b"\0")[2])
    return fields["threads"], fields["streams"]


def test_names_of_peers_differ() -> None:
    assert len({peer.name for peer in PEERS}) == len(PEERS)


def test_a_missing_environment_is_told_with_the_command_that_makes_it(place: worker.Workplace) -> None:
    with pytest.raises(DeviceError, match="make bench-peers"):
        worker.Worker(replace(FAKE, environment="absent"), place)


def test_a_model_that_a_peers_tool_cannot_make_leaves_nothing(
    place: worker.Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = tmp_path / "here" / "prepare"
    prepare.mkdir()
    (prepare / "make_fake.py").write_text("import sys; sys.exit('no such layer')")
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setattr(models, "HERE", tmp_path / "here")
    with pytest.raises(ExportError, match=r"make_fake\.py failed: no such layer"):
        models.make_models(tmp_path, tmp_path / "checkpoint", ["a text"], ["fake"])
    assert not list((tmp_path / "models").rglob("fake"))
    (prepare / "make_fake.py").write_text("import sys, pathlib; pathlib.Path(sys.argv[2], 'made').touch()")
    made = models.make_models(tmp_path, tmp_path / "checkpoint", ["a text"], ["fake"])
    assert [file.name for file in (made / "fake").glob("[!.]*")] == ["made"]


def test_a_model_is_made_again_only_where_its_own_script_has_changed(
    place: worker.Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "here" / "prepare" / "make_fake.py"
    script.parent.mkdir()
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setattr(models, "HERE", tmp_path / "here")

    def made_with(name: str, text: str) -> list[str]:
        script.with_name(name).write_text(text)
        folder = models.make_models(tmp_path, tmp_path / "checkpoint", ["a text"], ["fake"])
        return [file.name for file in (folder / "fake").glob("[!.]*")]

    touch = "import sys, pathlib, time; pathlib.Path(sys.argv[2], {}).touch()"
    [first] = made_with("make_fake.py", touch.format("str(time.time_ns())"))
    assert made_with("make_other.py", "import absent") == [first]
    assert made_with("make_fake.py", touch.format("'again'")) == ["again"]


def test_each_row_names_an_environment_a_worker_and_the_script_that_makes_its_model() -> None:
    folder = ROOT / "benchmarks" / "peers"
    for peer in (*PEERS, REFERENCE):
        assert len(list((folder / "requirements").glob(f"{peer.environment}.*"))) == 1
        assert len(list((folder / "workers").glob(f"{peer.script}.*"))) == 1
        assert not peer.made or (folder / "prepare" / f"make_{peer.made}.py").is_file()


def test_only_models_that_the_chosen_rows_need_are_made() -> None:
    assert run.made_by([FAKE, replace(FAKE, made="one"), replace(FAKE, made="two"), replace(FAKE, made="one")]) == [
        "one",
        "two",
    ]


def test_churn_counts_an_entity_of_one_side_as_half_a_change() -> None:
    shorter = [("PER", 0, 4), ("LOC", 10, 13)]
    found = change_of([FOUND, FOUND], [FOUND, shorter])
    assert found is not None and found.value == 0.25 and found.low <= 0.25 <= found.high
    same = change_of([FOUND], [[list(entity) for entity in FOUND]])  # as JSON brings them
    assert same is not None and same.value == 0 and same.high > 0
    assert change_of([[]], [[]]) is None


def test_a_row_whose_entities_depend_on_the_batch_shows_it(place: worker.Workplace) -> None:
    with measure.started([replace(FAKE, form="apart")], place, [SENTENCE.text], lambda: None) as [found]:
        checked = measure.check(found, [SENTENCE], [FOUND])
    assert checked.churn_alone is not None and checked.churn_alone.value == 0
    assert checked.churn_together is not None and checked.churn_together.value == 0.25
    assert checked.batch_effect is not None and checked.batch_effect.value == 0.25


def test_a_peer_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UserInputError, match="no peer has 'TensorFlow' in its name"):
        run.choose_peers(PEERS, ["TensorFlow"])


def test_ours_run_beside_the_peers_that_are_chosen() -> None:
    ours = our_rows(verify_bundle(BUNDLE), BUNDLE)
    chosen = run.choose_peers((*PEERS, *ours), ["OpenVINO FP32"])
    assert [peer.name for peer in chosen] == ["OpenVINO FP32", *(peer.name for peer in ours)]


def test_more_threads_than_cores_are_refused() -> None:
    cores = len(os.sched_getaffinity(0))
    with pytest.raises(DeviceError, match=f"there are {cores} cores, expected {cores + 1}"):
        run.pin(cores + 1)


def test_our_rows_begin_with_what_a_bundle_runs_unless_told_otherwise() -> None:
    manifest = verify_bundle(BUNDLE)
    forms = [peer.form for peer in our_rows(manifest, BUNDLE)]
    assert forms[0] == manifest.variants[0].name
    assert "fp32" in forms


def test_a_tuning_beside_the_bundle_has_a_row_of_its_own(tmp_path: Path) -> None:
    manifest = verify_bundle(BUNDLE)
    write_atomic(tuning_file(tmp_path / "bundle"), "{}")
    assert our_rows(manifest, tmp_path / "bundle")[1].form == f"{manifest.variants[0].name}+tuning"


def test_the_lead_is_over_the_best_peer_of_each_figure() -> None:
    rows = [row("quick", False, 2.0, 9.0, 100), row("steady", False, 3.0, 6.0, 300), row("ours", True, 1.0, 2.0, 600)]
    lead = leads_of(rows)["ours"]
    assert (lead.p50_peer, lead.p50) == ("quick", 2.0)
    assert (lead.p95_peer, lead.p95) == ("steady", 3.0)
    assert (lead.throughput_peer, lead.throughput) == ("steady", 2.0)


def test_our_graph_in_plain_onnxruntime_is_no_peer_but_shows_what_the_runtime_adds() -> None:
    graph = replace(row("our graph", False, 1.5, 4.0, 500), our_graph=True)
    native = replace(row("ours with kernels of its own", True, 0.5, 1.0, 900), form="native")
    leads = leads_of([row("peer", False, 2.0, 8.0, 300), graph, native, row("ours", True, 1.0, 2.0, 600)])
    assert (leads["ours"].p50_peer, leads["ours"].p50) == ("peer", 2.0)
    assert (leads["the runtime alone"].p50_peer, leads["the runtime alone"].throughput) == ("our graph", 1.2)


def test_the_table_has_every_peer_with_its_spread() -> None:
    console = Console(width=240, file=io.StringIO(), record=True)
    console.print(speed_table([row("quick", False, 2.0, 9.0, 100), row("ours", True, 1.0, 2.0, 600)]))
    text = console.export_text()
    assert "2.00 (1.80-2.60)" in text
    assert "0.17x" in text


def test_the_record_says_what_it_holds_for_and_names_no_folder_of_this_machine(
    place: worker.Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "/somewhere/private/minilm", "--every", "4"])
    rows = [row("quick", False, 2.0, 9.0, 100), row("ours", True, 1.0, 2.0, 600)]
    text = to_json(plan(place, every=4), rows, 12.3)
    record = json.loads(text)
    assert record["command"] == "python -m benchmarks.peers minilm --every 4"
    assert record["latency_of"] == "every 4th sentence, in order"
    assert {"cpu", "isa", "threads", "versions", "date", "seconds", "leads"} <= set(record)
    assert "private" not in text and str(place.cache) not in text


def test_the_plain_loop_finds_what_the_runtime_finds(
    workers_folder: Callable[[str], ModuleType], tmp_path: Path, small_factory: dict[str, Any]
) -> None:
    manifest = verify_bundle(BUNDLE)
    config = {"id2label": dict(enumerate(manifest.labels)), "max_position_embeddings": manifest.tokenizer.max_length}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer.json").write_bytes((BUNDLE / manifest.tokenizer.file).read_bytes())
    texts = [sentence.text for sentence in small_factory["test"].sentences]
    with TokenClassifier.load(BUNDLE, "cpu", "fp32") as classifier:

        def logits(ids: Any, mask: Any, types: Any) -> Any:
            feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
            return classifier.run({name: feeds[name] for name in manifest.tokenizer.inputs})

        loop = workers_folder("plain_loop").PlainLoop(tmp_path, logits)
        expected = [
            [(entity.label, entity.start, entity.end) for entity in entities]
            for entities in classifier.predict_batch(texts, Decoding("first"))
        ]
        assert sum(map(len, expected)) > 20
        assert [loop.predict(text) for text in texts] == expected
        assert loop.predict_batch(texts, 16) == expected
        assert workers_folder("plain_loop").PlainLoop(tmp_path, logits, 2).predict_batch(texts, 16) == expected


def test_a_text_that_is_too_long_for_a_peer_is_refused(
    workers_folder: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "O"}, "max_position_embeddings": 8}))
    (tmp_path / "tokenizer.json").write_bytes((BUNDLE / "tokenizer.json").read_bytes())
    loop = workers_folder("plain_loop").PlainLoop(tmp_path, lambda *inputs: None)
    with pytest.raises(ValueError, match="the model takes 8"):
        loop.predict("one two three four five six seven eight")
