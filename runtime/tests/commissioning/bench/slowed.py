"""A slowdown planted from outside: the product's code stays as it is, and a process that is started with this
environment answers so much later."""

from __future__ import annotations

import os
from pathlib import Path

_CODE = """
import time

from edgener_runtime.pipeline import TokenClassifier

as_it_is = TokenClassifier.predict_batch


def slowed(self, texts, *arguments):
    begun = time.perf_counter()
    found = as_it_is(self, texts, *arguments)
    until = begun + (time.perf_counter() - begun) * {factor!r}
    while time.perf_counter() < until:  # time.sleep is coarser than a tenth of what small models take
        pass
    return found


TokenClassifier.predict_batch = slowed
"""


def slowed(folder: Path, share: float) -> dict[str, str]:
    """The environment in which the runtime takes 1 + `share` of its time to answer; `folder` is to hold the plant.

    Python runs a `sitecustomize` that is on its path when it starts: the bench's own processes too, which inherit it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(_CODE.format(factor=1 + share), encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path}
