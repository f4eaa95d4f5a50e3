"""Load a bundle, predict, and close it, again and again, in a process of its own.

    python reloads.py BUNDLE VARIANT LOADS

Prints a JSON object per line: what the process holds (State) for the first and the last load, `at` loads while it is
loaded, and `at` unloaded when it is closed. The garbage collector is left alone, as by programs that embed the runtime.
"""

import dataclasses
import json
import sys

from state import State, settled, state

from edgener_runtime import TokenClassifier

TEXTS = ["oil leak at the seal of pump P-101, replaced by A. Keller in hall 3"] * 64  # several batches at once


def say(at: str, load: int, now: State) -> None:
    print(json.dumps({"at": at, "count": load, **dataclasses.asdict(now)}), flush=True)  # noqa: T201


bundle, variant, loads = sys.argv[1:]
for load in range(1, int(loads) + 1):
    counts = load in (1, int(loads))
    with TokenClassifier.load(bundle, "cpu", variant) as classifier:
        classifier.predict_batch(TEXTS)
        if counts:
            say("loads", load, state())
    if counts:
        say("unloaded", load, settled())
