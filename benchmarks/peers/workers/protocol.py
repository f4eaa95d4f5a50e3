"""The worker's end of the line: one JSON object a line, a command in and its answer out.

A worker is a script of its own environment: `python openvino_loop.py JSON`, where the JSON has the fields of Setting.
It loads the model, answers the first text with {"first": entities}, then serves commands until its input ends.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Found = tuple[str, int, int]  # an entity's label, first and past-the-end character


@dataclass(frozen=True)
class Setting:
    """What to run and how: `models` is the folder of what prepare/ made of the checkpoint, `form` one of its forms,
    `streams` how many batches run at once, each on so many threads."""

    checkpoint: Path
    bundle: Path
    models: Path
    form: str
    threads: int
    streams: int
    first_text: str


class Peer(Protocol):
    """What is measured: text in, entities out."""

    def predict(self, text: str) -> list[Found]:
        """The entities of one text."""

    def predict_batch(self, texts: Sequence[str], batch: int) -> list[list[Found]]:
        """The entities of each text, so many texts run together."""


def serve(load: Callable[[Setting], Peer]) -> None:
    """Load the model that the command line names, and answer commands."""
    fields = json.loads(sys.argv[1])
    setting = Setting(**fields | {name: Path(fields[name]) for name in ("checkpoint", "bundle", "models")})
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print what they like, the protocol's line stays clean
    peer = load(setting)

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    say({"first": peer.predict(setting.first_text)})
    texts: list[str] = []
    for line in sys.stdin:
        command = json.loads(line)
        texts = command.get("texts", texts)
        say(_COMMANDS[command["do"]](peer, texts, command))


def load_case_classes() -> Callable[[str, Sequence[int]], list[int]]:
    """The function that training took case classes from, loaded by its file: peers have nothing of ours installed."""
    file = Path(__file__).resolve().parents[3] / "runtime" / "edgener_runtime" / "text" / "casing.py"
    spec = importlib.util.spec_from_file_location("casing", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not there")
    casing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(casing)
    found: Callable[[str, Sequence[int]], list[int]] = casing.case_classes
    return found


def _take(peer: Peer, texts: Sequence[str], command: dict[str, Any]) -> dict[str, Any]:
    return {"texts": len(texts)}


def _latency(peer: Peer, texts: Sequence[str], command: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds of each text, one by one, with the entities if asked for."""
    milliseconds, entities = [], []
    for text in texts[:: command.get("every", 1)]:
        begun = time.perf_counter()
        found = peer.predict(text)
        milliseconds.append(1000 * (time.perf_counter() - begun))
        entities.append(found)
    return {"milliseconds": milliseconds} | ({"entities": entities} if command.get("entities") else {})


def _throughput(peer: Peer, texts: Sequence[str], command: dict[str, Any]) -> dict[str, Any]:
    """Seconds of all texts together, with the entities if asked for."""
    taken = texts[:: command.get("every", 1)]
    begun = time.perf_counter()
    entities = peer.predict_batch(taken, command["batch"])
    seconds = time.perf_counter() - begun
    return {"seconds": seconds} | ({"entities": entities} if command.get("entities") else {})


_COMMANDS: dict[str, Callable[[Peer, Sequence[str], dict[str, Any]], dict[str, Any]]] = {
    "take": _take,
    "latency": _latency,
    "throughput": _throughput,
}
