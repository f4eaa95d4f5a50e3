"""`predict --drift` and `--label-queue`: a line on stderr, and a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

CPU = ("--device", "cpu", "--variant", "fp32")


def test_predict_counts_and_queues(run: Callable[..., Any], bundle: Path, tmp_path: Path) -> None:
    queue = tmp_path / "queue.jsonl"
    done = run("predict", bundle, "oil leak", "Pump P-101", "--drift", "--label-queue", queue, *CPU)
    assert done.code == 0 and len(done.out.splitlines()) == 2
    assert done.err == "2 texts; no index: the bundle has no reference: export it again\n"
    assert {json.loads(line)["text"] for line in queue.read_text().splitlines()} == {"oil leak", "Pump P-101"}
    done = run("predict", bundle, "oil leak", "--label-queue", queue, "--label-queue-size", 1, *CPU)
    assert done.code == 0 and done.err == ""
    assert len(queue.read_text().splitlines()) == 1


def test_a_mask_without_a_queue_is_refused(run: Callable[..., Any], bundle: Path) -> None:
    done = run("predict", bundle, "oil leak", "--label-queue-masked", *CPU)
    assert done.code == 2 and "--label-queue-masked needs --label-queue" in done.err
