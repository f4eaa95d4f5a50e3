"""Bundles with changed files, whose hashes fit: each is answered or refused with a reason, and no process is lost.

EDGENER_FUZZ_SECONDS says how long (120), EDGENER_FUZZ_SEED where it begins, EDGENER_FUZZ_OUT where to write the counts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from .mutations import Mutator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are forked, measured and limited as on Linux"),
]

SECONDS = float(os.environ.get("EDGENER_FUZZ_SECONDS", "120"))
SEED = int(os.environ.get("EDGENER_FUZZ_SEED", "1"))
TEXTS = ("Oil leak at pump P-101", "泵房的密封件漏油 🔧", "x " * 200)
ENDS = {0, 2, 3, 5, 6}
MOST_MB = 400


def fault(ended: dict[str, Any]) -> str | None:
    """Why a run did not end as it must, or None."""
    code, err = ended["code"], ended["err"]
    if code == -9 and ended["seconds"] >= 60:
        return "hang"
    if code < 0:
        return f"signal {-code}"
    if code not in ENDS or "internal error" in err or "Traceback" in err:
        return "internal error"
    if code and "error: " not in err:
        return "no message"
    return None


def test_no_change_of_a_bundle_ends_without_an_answer_or_a_reason(bundle: Path, tmp_path: Path) -> None:
    mutator, counts, kinds = Mutator(SEED), Counter[str](), Counter[str]()
    faults: list[dict[str, Any]] = []
    most = 0
    program = Path(__file__).with_name("forked_runs.py")
    server = subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
    )  # fmt: skip
    assert server.stdin and server.stdout
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
        kind, variant = mutator.change(copy)
        arguments = ["predict", str(copy), *TEXTS, "--variant", variant, "--device", "cpu", "--threads", "1"]
        server.stdin.write(json.dumps(arguments) + "\n")
        server.stdin.flush()
        ended = json.loads(server.stdout.readline())
        kinds[kind] += 1
        most = max(most, ended["megabytes"])
        why = fault(ended)
        counts[why or f"exit {ended['code']}"] += 1
        if why or ended["megabytes"] > MOST_MB:
            faults.append({"kind": kind, "case": sum(kinds.values()), **ended})
            if keep := os.environ.get("EDGENER_FUZZ_KEEP"):
                shutil.copytree(copy, Path(keep) / f"{sum(kinds.values())}", symlinks=True)
        shutil.rmtree(copy)
    server.stdin.close()
    assert server.wait(60) == 0
    record = {
        "seconds": SECONDS, "seed": SEED, "bundles": sum(kinds.values()), "changed": dict(sorted(kinds.items())),
        "ends": dict(sorted(counts.items())), "megabytes at most": most,
    }  # fmt: skip
    if out := os.environ.get("EDGENER_FUZZ_OUT"):
        Path(out).write_text(json.dumps(record, indent=2) + "\n")
    assert faults == [], record
    assert counts["exit 0"] and counts["exit 5"]
    assert most < MOST_MB
