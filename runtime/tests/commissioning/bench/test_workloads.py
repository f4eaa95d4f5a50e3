from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgener_runtime.base.serde import load_json
from edgener_runtime.bundle.manifest import Manifest
from edgener_runtime.commissioning.bench.spec import Gold, Spec, Text
from edgener_runtime.commissioning.bench.workloads import (
    GoldEntities,
    Workloads,
    make_workloads,
    read_input,
    write_workloads,
)
from edgener_runtime.errors import UserInputError
from edgener_runtime.text.tokenize import TextTokenizer

Ask = Callable[..., Spec]


@pytest.fixture(scope="module")
def tokenizer(bundle: Path, manifest: Manifest) -> TextTokenizer:
    return TextTokenizer(bundle / manifest.tokenizer.file, manifest.tokenizer)


@pytest.mark.parametrize("length", [3, 16, 128, 512])
def test_texts_of_a_length_have_just_so_many_subwords(length: int, tokenizer: TextTokenizer, ask: Ask) -> None:
    (workload,) = make_workloads(ask(lengths=(length,)), tokenizer)
    assert workload.name == f"{length} subwords" and set(workload.subwords) == {length}
    special = len(tokenizer.prefix) + len(tokenizer.suffix)
    assert {len(encoded.ids) + special for encoded in tokenizer.encode(workload.texts)} == {length}
    assert len(set(workload.texts)) > 1


def test_a_length_that_is_special_tokens_alone_is_refused(tokenizer: TextTokenizer, ask: Ask) -> None:
    with pytest.raises(
        UserInputError, match="a text of 2 subwords is impossible: 2 of them are special tokens"
    ) as refused:
        make_workloads(ask(lengths=(2,)), tokenizer)
    assert refused.value.hint == "Ask for at least 3: --length 3"


def test_a_vocabulary_without_whole_words_is_refused(
    tokenizer: TextTokenizer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "vocabulary", lambda: ["##s", "1", "[CLS]"])
    with pytest.raises(UserInputError, match="no texts of exactly 16 subwords can be made"):
        make_workloads(ask(lengths=(16,)), tokenizer)


def test_synthetic_texts_are_always_the_same(tokenizer: TextTokenizer, ask: Ask) -> None:
    (one,), (other,) = (make_workloads(ask(), tokenizer) for _ in range(2))
    assert one.record() == other.record() and one.name == "made-up"


def test_own_texts_and_lengths_are_workloads_side_by_side(tokenizer: TextTokenizer, ask: Ask) -> None:
    spec = ask(data="orders.jsonl", texts=(Text("oil leak", (Gold("FAULT", 0, 8),)),), lengths=(16,))
    own, fixed = make_workloads(spec, tokenizer)
    assert (
        own.gold == GoldEntities(((Gold("FAULT", 0, 8),),), (((0, 3), (4, 8)),))
        and own.record().gold
        and not fixed.record().gold
    )
    (changed, _) = make_workloads(ask(data="orders.jsonl", texts=(Text("oil leaks"),), lengths=(16,)), tokenizer)
    assert changed.record().sha256 != own.record().sha256


def test_gold_is_of_all_texts_or_of_none(tokenizer: TextTokenizer, ask: Ask) -> None:
    (workload,) = make_workloads(ask(data="half", texts=(Text("oil leak", ()), Text("pump"))), tokenizer)
    assert workload.gold is None


def test_words_that_nobody_cut_are_cut_so_that_gold_entities_have_whole_ones(
    tokenizer: TextTokenizer, ask: Ask
) -> None:
    cut = ((0, 8), (9, 13))
    texts = (Text("oil P-101", (Gold("TAG", 4, 8),)), Text("oil leak pump", (), cut))
    (workload,) = make_workloads(ask(data="orders", texts=texts), tokenizer)
    assert workload.gold and workload.gold.words == (((0, 3), (4, 5), (5, 6), (6, 8), (8, 9)), cut)


def test_json_lines_may_carry_entities(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    lines = [
        {"text": "oil leak", "entities": [{"label": "FAULT", "start": 0, "end": 8, "score": 1}]},
        {"text": "ok", "words": [[0, 2]]},
        {"text": "ok", "words": ["ok"]},  # a field of their own
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    assert read_input(str(file), "auto") == (
        Text("oil leak", (Gold("FAULT", 0, 8),)), Text("ok", words=((0, 2),)), Text("ok"),
    )  # fmt: skip


@pytest.mark.parametrize("entities", [3, [{"label": "X"}], ["X"], [{"label": "X", "start": "a", "end": 2}]])
def test_entities_of_another_form_are_refused(entities: object, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text(json.dumps({"text": "oil leak", "entities": entities}))
    with pytest.raises(UserInputError, match="expected a list of objects with label, start and end"):
        read_input(str(file), "auto")


def test_workers_are_given_the_entities_apart(tokenizer: TextTokenizer, ask: Ask, tmp_path: Path) -> None:
    """They would count as memory of what is measured."""
    own = make_workloads(ask(data="orders", texts=(Text("oil \ud800", (Gold("X", 0, 3),)),)), tokenizer)
    workloads, gold = write_workloads(own, tmp_path)
    assert gold and '"X"' in gold.read_text() and '"X"' not in workloads.read_text()
    assert load_json(Workloads, workloads).workloads[0].texts == ("oil \ud800",)
    assert write_workloads(make_workloads(ask(), tokenizer), tmp_path)[1] is None
