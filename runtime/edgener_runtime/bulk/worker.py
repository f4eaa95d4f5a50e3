"""A worker process: it loads the bundle once, and tags the chunks that it gets, one line of stdin each."""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.base.files import write_atomic
from edgener_runtime.base.process import events
from edgener_runtime.base.serde import from_json, to_dict
from edgener_runtime.decoding.entity import Decoding
from edgener_runtime.errors import EdgenerError

from .answers import Rejection, TextAnswer, answer_values
from .formats.base import TaggedPart, shape_of
from .formats.json_lines import to_json
from .formats.table import FORMATS
from .spec import Chunk, TaggedChunk, TagSpec

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier

READY, TAGGED, FAILED = "ready", "tagged", "failed"
ABANDONED = 75  # exit code: stdin was closed
REJECTS = ".rejects"  # behind the name of a part
SET_ASIDE = "workers died at this row or at one of those beside it"


def load_classifier(spec: TagSpec) -> TokenClassifier:
    """The classifier of a job."""
    from edgener_runtime.pipeline import TokenClassifier

    return TokenClassifier.load(
        spec.bundle, spec.device, spec.variant, spec.threads, spec.reproducible, spec.require_signature
    )


def main(load: Callable[[TagSpec], TokenClassifier] = load_classifier) -> int:
    """Load what the first line of stdin names, and tag each chunk that follows, until stdin is closed."""
    report, jobs = events(), _lines_of_stdin()
    spec = from_json(TagSpec, next(jobs), "the job")
    try:
        with load(spec) as classifier:
            gc.freeze()  # what is loaded stays: the collector need not walk through it after each chunk
            report({"event": READY, "engine": engine_of(classifier)})
            for line in jobs:
                tagged = tag_chunk(from_json(Chunk, line, "a chunk"), spec, classifier)
                report({"event": TAGGED, "chunk": to_dict(tagged)})
    except EdgenerError as error:
        report({"event": FAILED, "kind": type(error).__name__, "message": error.message, "hint": error.hint})
    return 0


def _lines_of_stdin() -> Iterator[str]:
    """The lines of stdin; at its end, which is that of the caller or its wish, this process ends at once."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        with os.fdopen(os.dup(sys.stdin.fileno()), encoding="utf-8") as stdin:  # sys.stdin has a lock at exit
            for line in stdin:
                lines.put(line)
        os._exit(ABANDONED)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield lines.get()


def engine_of(classifier: TokenClassifier) -> dict[str, Any]:
    """What the answers depend on beside the texts: the variant, and what runs it."""
    from edgener_runtime.version import __version__

    found = classifier.explain()
    return {
        "version": __version__, "bundle": found.bundle, "variant": found.variant, "precision": found.precision,
        "provider": found.provider, "library": found.library, "isa": found.isa, "tuning": str(found.tuning),
    }  # fmt: skip


def tag_chunk(chunk: Chunk, spec: TagSpec, classifier: TokenClassifier) -> TaggedChunk:
    """Tag the rows of a chunk, and write its part, before which the rejected rows are written."""
    answer = partial(answer_with, classifier, spec) if chunk.model else _set_aside
    tagged = FORMATS[chunk.format].tag(chunk, spec, answer)
    _write(Path(chunk.part), tagged)
    return TaggedChunk(
        chunk.number, chunk.source, chunk.span.row, chunk.span.rows,
        tagged.texts, tagged.entities, len(tagged.rejected), set_aside=not chunk.model,
    )  # fmt: skip


def answer_with(classifier: TokenClassifier, spec: TagSpec, values: Sequence[object]) -> list[TextAnswer]:
    """The answers of values by a job's options."""
    decoding = spec.decoding
    if shape_of(spec).in_characters:
        decoding = Decoding(spec.aggregation, spec.strict, spec.thresholds)
    return answer_values(classifier, values, decoding, spec.max_characters)


def _set_aside(values: Sequence[object]) -> list[TextAnswer]:
    return [value if isinstance(value, Rejection) else Rejection(SET_ASIDE) for value in values]


def _write(part: Path, tagged: TaggedPart) -> None:
    if tagged.rejected:
        lines = [to_json(to_dict(row)) + b"\n" for row in tagged.rejected]
        write_atomic(part.with_suffix(REJECTS), b"".join(lines))
    write_atomic(part, tagged.content)
