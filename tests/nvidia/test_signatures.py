"""The double of TensorRT that the runtime's tests run against has the interface of the real bindings, as of today's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import HERE, ROOT, VERSIONS, Environment
from .signatures import arguments_of

pytestmark = pytest.mark.environment

KEPT = json.loads(
    (ROOT / "runtime" / "tests" / "backends" / "tensorrt" / "signatures.json").read_text(encoding="utf-8")
)


def test_every_version_has_a_double() -> None:
    assert tuple(KEPT) == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_the_signatures_are_those_of_the_real_bindings(
    version: str, environment: Callable[[str], Environment], stub: Path
) -> None:
    done = environment(f"bindings-{version}").run(HERE / "signatures.py", LD_LIBRARY_PATH=str(stub))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("version") == version
    assert found == {"classes": KEPT[version]["classes"], "enumerations": KEPT[version]["enumerations"]}


def test_arguments_are_read_from_what_pybind11_writes() -> None:
    def function() -> None:
        """f(*args, **kwargs)
        Overloaded function.

        1. f(self: trt.Engine, strategy: trt.Strategy = <Strategy.STATIC: 0>) -> trt.Context
        2. f(self: trt.Engine, name: str, shape: tuple) -> bool
        3. f(self: trt.Engine) -> None
        """

    function.__doc__ = "\n".join(line.strip() for line in (function.__doc__ or "").splitlines())
    assert arguments_of(function) == [["strategy="], ["name", "shape"], []]
