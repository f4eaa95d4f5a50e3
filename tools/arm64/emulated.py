"""pytest plugin for a suite under qemu's user emulation: what cannot run there is skipped, properties get few examples.

A test that starts another program is skipped: the kernel cannot start an arm64 program, and the emulator runs only the
one that it was started with. The tests of the commands as processes run elsewhere.
"""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hypothesis import settings

EXAMPLES = 10  # emulated code runs ten to twenty times slower
_SETTINGS = "_hypothesis_internal_use_settings"  # where Hypothesis keeps them; a second @settings is an error


class _NoProcess(subprocess.Popen[Any]):
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self.returncode = 0  # nothing to wait for
        pytest.skip("starts another program, which emulation without binfmt_misc cannot")

    def __del__(self) -> None:
        pass


subprocess.Popen = _NoProcess  # type: ignore[misc]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cut the examples of each property test."""
    for item in items:
        test = getattr(item, "obj", None)
        given = getattr(test, _SETTINGS, None)
        if given:
            fewer = settings(given, max_examples=min(given.max_examples, EXAMPLES))
            setattr(getattr(test, "__func__", test), _SETTINGS, fewer)
