"""The tests of the operators run where the library is installed, and otherwise say how to get it."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def library() -> None:
    """Skip what needs the library where there is none."""
    edgener_ops = pytest.importorskip("edgener_ops", reason="edgener-ops is not installed; install it with: make ops")
    if not edgener_ops.library_path().exists():
        pytest.skip("edgener-ops has not been built; build it with: make ops")
    if not edgener_ops.instruction_sets():
        pytest.skip("this CPU has none of the instruction sets that edgener-ops was built for")
