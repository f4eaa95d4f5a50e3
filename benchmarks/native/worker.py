"""One measurement in a process of its own, on so many cores: a job as JSON on stdin, its figures as JSON on stdout.

It imports the runtime alone, as a device has it. Jobs run on the first cores of the machine, with the default number of
threads for these: one for each run on one core; on two, one or both for a text alone, by its length.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from edgener_runtime import TokenClassifier
from edgener_runtime.backends.onnxruntime.library import load_onnxruntime
from edgener_runtime.base.memory import resident
from edgener_runtime.machine.devices import CPU

from .turns import milliseconds, rounds, seconds_of, share, turn

ALONE, TOGETHER = 10, 3  # a round runs so many-th of the texts
WARM_UP = 30  # runs of similar length: after fewer, the runtime has chosen the number of threads
_PROCESS = Path("/proc/self")


@dataclass(frozen=True)
class Job:
    """What is measured: a task of TASKS, the bundle and its variants, the texts, also by their subwords, and how long.

    `count` is the number of texts of a soak.
    """

    task: str
    bundle: str
    cores: int
    variants: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    lengths: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seconds: float = 0
    count: int = 0


def speed(job: Job) -> dict[str, Any]:
    """By variant and round: p50 and p95 of texts alone, and subwords per second of texts together."""
    with _loaded(job) as classifiers:
        _warm_up(classifiers, share(job.texts, 0, ALONE))
        found: dict[str, dict[str, list[float]]] = {
            name: {"p50_ms": [], "p95_ms": [], "subwords_per_second": []} for name in classifiers
        }
        for number in rounds(job.seconds):
            alone, together = share(job.texts, number, ALONE), list(share(job.texts, number, TOGETHER))
            for name in turn(classifiers, number):
                classifier, own = classifiers[name], found[name]
                times = [1000 * seconds_of(classifier.predict, text) for text in alone]
                rate = classifier.count_subwords(together) / seconds_of(classifier.predict_batch, together)
                for key, value in zip(own, (*np.percentile(times, (50, 95)), rate), strict=True):
                    own[key].append(round(float(value), 4))
        return {"rounds": found, "runs": {name: str(each.tuning) for name, each in classifiers.items()}}


def lengths(job: Job) -> dict[str, Any]:
    """By subwords and variant: milliseconds of a text alone in each round."""
    with _loaded(job) as classifiers:
        alike = Counter(int(at).bit_length() for at in job.lengths)  # as the runtime classes them
        for at, texts in job.lengths.items():
            _warm_up(classifiers, texts, WARM_UP // alike[int(at).bit_length()])
        found: dict[str, dict[str, list[float]]] = {at: {name: [] for name in classifiers} for at in job.lengths}
        for number in rounds(job.seconds):
            for at, texts in job.lengths.items():
                for name in turn(classifiers, number):
                    found[at][name].append(round(milliseconds(classifiers[name].predict, texts, number), 4))
    return {"milliseconds": found}


def memory(job: Job) -> dict[str, Any]:
    """Bytes of a process with the libraries, with one variant loaded besides, and after texts alone and together."""
    import tokenizers  # noqa: F401 - what any variant needs is counted before

    load_onnxruntime()
    libraries = resident()
    with _loaded(job) as classifiers:
        [classifier] = classifiers.values()
        classifier.predict(job.texts[0])
        loaded = resident()
        for text in job.texts:
            classifier.predict(text)
        classifier.predict_batch(job.texts)
        return {"libraries": libraries, "loaded": loaded, "after_texts": resident()}


def soak(job: Job) -> dict[str, Any]:
    """The texts over and over, one pass alone and one together in turns: what the process holds, and other answers."""
    before, different, done = _held(), 0, 0
    samples: list[dict[str, int]] = []
    with _loaded(job) as classifiers:
        [classifier] = classifiers.values()
        first = [classifier.predict(text) for text in job.texts]
        again = cycle(range(len(job.texts)))
        while done < job.count:
            at = [*islice(again, min(len(job.texts), job.count - done))]
            texts, together = [job.texts[each] for each in at], len(samples) % 2 == 1
            found = classifier.predict_batch(texts) if together else [classifier.predict(text) for text in texts]
            different += sum(found[place] != first[each] for place, each in enumerate(at))
            done += len(at)
            samples.append(_held())
    del classifier, classifiers
    gc.collect()
    return {"texts": done, "different": different, "before": before, "passes": samples, "closed": _held()}


def bits(job: Job) -> dict[str, Any]:
    """By variant: a digest of all logits, of each text alone, together in order, and together in another order.

    Every run has as many threads as there are cores.
    """
    mixed = random.Random(1).sample(range(len(job.texts)), len(job.texts))
    found = {}
    for name in job.variants:
        with TokenClassifier.load(job.bundle, "cpu", name, threads=job.cores) as classifier:
            alone = (next(classifier.logits([text])).logits for text in job.texts)
            shuffled = [answer.logits for answer in classifier.logits([job.texts[at] for at in mixed])]
            in_order = sorted(zip(mixed, shuffled, strict=True), key=lambda pair: pair[0])
            found[name] = {
                "alone": _digest(alone),
                "together": _digest(answer.logits for answer in classifier.logits(job.texts)),
                "together in another order": _digest(logits for _, logits in in_order),
            }
    return found


def product(job: Job) -> dict[str, Any]:
    """A sum of the largest products by `bundle`, a graph of MatMulInteger, and the operators' instruction sets."""
    from edgener_ops import instruction_sets

    session = load_onnxruntime().InferenceSession(job.bundle, providers=[CPU])
    [sums] = session.run(None, {"rows": np.full((8, 64), 255, dtype=np.uint8)})
    return {"sum": int(sums[0, 0]), "operators": instruction_sets()}


TASKS: dict[str, Callable[[Job], dict[str, Any]]] = {
    task.__name__: task for task in (speed, lengths, memory, soak, bits, product)
}


@contextmanager
def _loaded(job: Job) -> Iterator[dict[str, TokenClassifier]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(TokenClassifier.load(job.bundle, "cpu", name)) for name in job.variants}


def _warm_up(classifiers: Mapping[str, TokenClassifier], texts: Sequence[str], runs: int = 0) -> None:
    """Run texts, and over again up to so many runs where the number of threads is to be chosen: on several cores."""
    for classifier in classifiers.values():
        for text in islice(cycle(texts), max(len(texts), runs if classifier.tuning.threads > 1 else 0)):
            classifier.predict(text)
        classifier.predict_batch(texts)
    gc.collect()
    gc.freeze()


def _digest(logits: Iterable[Any]) -> str:
    found = hashlib.sha256()
    for each in logits:
        found.update(each.tobytes())
    return found.hexdigest()


def _held() -> dict[str, int]:
    """Bytes of memory, threads and open files of this process."""
    threads, files = (len([*(_PROCESS / name).iterdir()]) for name in ("task", "fd"))
    return {"bytes": resident() or 0, "threads": threads, "files": files - 1}  # the folder itself is open


def main() -> None:
    """Run the job."""
    job = Job(**json.load(sys.stdin))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job.cores])
    found = TASKS[job.task](job)
    sys.stdout.write("\n" + json.dumps(found))


def as_json(job: Job) -> str:
    """The job as `main` reads it."""
    return json.dumps(asdict(job))


if __name__ == "__main__":
    main()
