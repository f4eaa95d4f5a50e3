"""The command: what it needs, and what it costs who does not use it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.compat


def test_without_the_extra_the_command_says_what_to_install(
    bundle: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("edgener_runtime.services.http.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    monkeypatch.setitem(sys.modules, "starlette.datastructures", None)
    done = run("serve", bundle)
    assert done.code == 6
    assert 'pip install "edgener-runtime[serve]"' in done.err


def test_the_other_commands_load_no_server() -> None:
    code = "import sys, edgener_runtime.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"starlette", "uvicorn", "prometheus_client", "asyncio"} & set(done.stdout.split()) == set()


def test_there_is_no_option_that_puts_the_token_where_everyone_on_the_machine_reads_it(run: Callable[..., Any]) -> None:
    done = run("serve", "--help")
    assert "--token-file" in done.out
    assert "--token " not in done.out
