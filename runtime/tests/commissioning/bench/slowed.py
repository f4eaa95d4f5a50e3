"""A planted slowdown: the product's code is unchanged, and a process in this environment answers later."""

from __future__ import annotations

import os
from pathlib import Path

_CODE = """
import time

from edgener_runtime.pipeline import TokenClassifier

as_it_is = TokenClassifier.predict_batch


def slowed(self, texts, *arguments):
    start = time.perf_counter()
    found = as_it_is(self, texts, *arguments)
    until = start + (time.perf_counter() - start) * {factor!r}
    while time.perf_counter() < until:  # time.sleep is coarser than a tenth of what small models take
        pass
    return found


TokenClassifier.predict_batch = slowed
"""


def slowed(folder: Path, share: float) -> dict[str, str]:
    """The environment in which the runtime takes 1 + `share` of its time to answer; the code is written to `folder`.

    Python runs a `sitecustomize` on its path when it starts, also in the benchmark's own processes, which inherit it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(_CODE.format(factor=1 + share), encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}
