"""Every length of a window is run, without the cost of the products with weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgener.bundle.tokenizer import TOKENIZER
from edgener_exporters.graph.lengths import check_lengths, window_lengths
from edgener_runtime.errors import ExportError
from edgener_runtime.text.tokenize import TextTokenizer

from ..conftest import Encoder

Start = Callable[[int], Callable[[], None]]
TEXT = "The pump P-101 leaks."


class Count:
    """Counts the steps that are said to come and that come."""

    def __init__(self) -> None:
        self.expected = self.done = 0

    def __call__(self, expected: int) -> Callable[[], None]:
        self.expected = expected
        return self.step

    def step(self) -> None:
        self.done += 1


@pytest.mark.compat
@pytest.mark.parametrize("name", ["bert-uncased", "roberta", "distilbert", "electra"])
def test_every_length_of_a_right_graph_runs(encoder: Callable[[str], Encoder], name: str) -> None:
    made, count = encoder(name), Count()
    check_lengths(made.fp32, made.tokenizer, TEXT, count)
    longest = made.tokenizer.settings.max_length
    assert count.done == count.expected == longest - 1  # from two special tokens alone


def planted(made: Encoder, tmp_path: Path, change: Callable[[Any], None]) -> Path:
    model = onnx.load(made.fp32)
    change(model.graph)
    onnx.save(model, tmp_path / "planted.onnx")
    return tmp_path / "planted.onnx"


def shorten(graph: Any) -> None:
    table = next(tensor for tensor in graph.initializer if list(tensor.dims) == [66, 32])
    table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table)[:37], table.name))


def test_a_table_that_is_too_short_is_found_at_the_first_length_beyond(cased: Encoder, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"planted\.onnx cannot run a window of 38 subwords"):
        check_lengths(planted(cased, tmp_path, shorten), cased.tokenizer, TEXT, Count())


def test_a_number_that_is_not_finite_from_some_length_on_is_found(cased: Encoder, tmp_path: Path) -> None:
    """log(41 - length), as buckets of distances have it."""

    def plant(graph: Any) -> None:
        last = next(node for node in graph.node if "logits" in node.output)
        last.output[0] = "before"
        graph.initializer.append(numpy_helper.from_array(np.array(41, dtype=np.int64), "limit"))
        graph.node.extend([
            helper.make_node("Shape", ["input_ids"], ["length"], start=1, end=2),
            helper.make_node("Sub", ["limit", "length"], ["left"]),
            helper.make_node("Cast", ["left"], ["left as float"], to=1),
            helper.make_node("Log", ["left as float"], ["log"]),
            helper.make_node("Add", ["before", "log"], ["logits"]),
        ])  # fmt: skip

    with pytest.raises(ExportError, match="a window of 41 subwords gives a logit that is not finite"):
        check_lengths(planted(cased, tmp_path, plant), cased.tokenizer, TEXT, Count())


def test_these_tests_run_a_graph_once_and_each_other_graph_too(
    cased: Encoder, tmp_path: Path, lengths_once: Callable[..., None]
) -> None:
    """The exports of the suite, by tests/conftest.py: what differs is never taken for checked."""
    counts = [Count(), Count(), Count()]
    lengths_once(cased.fp32, cased.tokenizer, "Texts of this test.", counts[0])
    lengths_once(cased.fp32, cased.tokenizer, "Texts of this test.", counts[1])
    settings = replace(cased.tokenizer.settings, max_length=40)
    shorter = TextTokenizer(cased.fp32.with_name(TOKENIZER), settings)
    lengths_once(cased.fp32, shorter, "Texts of this test.", counts[2])
    assert [count.done for count in counts] == [cased.tokenizer.settings.max_length - 1, 0, 39]

    for _ in range(2):
        with pytest.raises(ExportError, match="cannot run a window of 38 subwords"):
            lengths_once(planted(cased, tmp_path, shorten), cased.tokenizer, "Texts of this test.", Count())


def test_lengths_are_all_up_to_512_then_powers_of_two() -> None:
    assert window_lengths(2, 64) == [*range(2, 65)]
    assert window_lengths(2, 514) == [*range(2, 513), 514]
    assert window_lengths(3, 3000)[510:] == [1023, 1024, 2047, 2048, 3000]
    assert window_lengths(3, 8192)[510:] == [1023, 1024, 2047, 2048, 4095, 4096]
    assert window_lengths(2, 1) == []
