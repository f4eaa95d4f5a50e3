"""Texts one after the other, then close.

    python soak.py BUNDLE VARIANT TEXTS

Prints a JSON object per line: what the process holds (State) and `at` which point, and `texts` so far. It starts with
one load and close, as libraries set up threads then that live as long as the process.
"""

import dataclasses
import gc
import json
import sys
from itertools import islice, pairwise

from state import settled
from texts import random_texts

from edgener_runtime import TokenClassifier


def say(at: str, count: int = 0) -> None:
    print(json.dumps({"at": at, "count": count, **dataclasses.asdict(settled())}), flush=True)  # noqa: T201


def once(bundle: str, variant: str) -> None:
    with TokenClassifier.load(bundle, "cpu", variant) as classifier:
        classifier.predict("oil leak")
    del classifier
    gc.collect()


def soak(bundle: str, variant: str, count: int) -> None:
    texts = random_texts(count)
    with TokenClassifier.load(bundle, "cpu", variant) as classifier:
        first = min(1000, count // 2)
        for start, end in pairwise([0, *range(first, count, 1000), count]):
            for text in islice(texts, end - start):
                classifier.predict(text)
            say("texts", end)


bundle, variant, texts = sys.argv[1:]
say("imported")
once(bundle, variant)
say("start")
soak(bundle, variant, int(texts))
gc.collect()
say("closed")
