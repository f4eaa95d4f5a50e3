"""The bridge against messages of a grammar: each that the broker takes has one reply, and memory stays bounded.

EDGENER_FUZZ_SECONDS says how long (120), EDGENER_FUZZ_SEED where it begins, EDGENER_FUZZ_OUT where to write the counts.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("paho", reason="the extra mqtt is not installed")

from .grammar import Grammar, RawClient

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("EDGENER_FUZZ_SECONDS", "120"))
SEED = int(os.environ.get("EDGENER_FUZZ_SEED", "1"))
AHEAD = 100  # messages without a reply
MOST_MB = 100


def memory(process: subprocess.Popen[str], field: str) -> float:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(f"{field}:"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this machine")
def test_no_message_of_a_grammar_breaks_the_bridge(
    mosquitto: Callable[..., Any], peer: Callable[..., Any], start: Callable[..., Any]
) -> None:
    broker = mosquitto("allow_anonymous true", "max_inflight_messages 0")
    asking = peer(broker)
    asking.client.subscribe("mine/#", 1)
    process = start(broker)
    asking.status("online")
    grammar, raw = Grammar(SEED), RawClient(broker.port)
    counts: Counter[str] = Counter()
    before, deadline = memory(process, "VmRSS"), time.monotonic() + SECONDS

    def collect(most: int) -> None:
        """Count replies until at most so many are missing."""
        while counts["accepted"] - counts["replies"] > most:
            message = asking.messages.get(timeout=60)
            assert message.topic != "out/status", message.payload
            counts["replies"] += 1
            if message.topic == "out/dead":
                counts[json.loads(message.payload)["reason"]] += 1

    while time.monotonic() < deadline:
        topic = grammar.random.choice(["in/x", "in/泵", "in/a/b/c"]).encode()
        taken = raw.publish(topic, grammar.properties(), grammar.payload())
        counts["accepted" if taken else "refused by the broker"] += 1
        collect(AHEAD)
    collect(0)
    with pytest.raises(queue.Empty):
        asking.messages.get(timeout=2)
    counts["megabytes above the idle bridge"] = round(memory(process, "VmHWM") - before)
    process.send_signal(signal.SIGTERM)
    assert process.wait(600) == 0
    raw.close()
    if out := os.environ.get("EDGENER_FUZZ_OUT"):
        Path(out).write_text(
            json.dumps({"seconds": SECONDS, "seed": SEED, **dict(sorted(counts.items()))}, indent=2) + "\n"
        )
    assert counts["megabytes above the idle bridge"] < MOST_MB
    assert {"not-json", "not-utf-8", "too-long", "no-text", "reserved-field", "response-topic"} <= counts.keys()
