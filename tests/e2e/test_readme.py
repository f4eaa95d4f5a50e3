"""The README's and the tutorial's commands and programs, run as written, one after the other in one folder."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from .running import run

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "tutorial" / "first-bundle.md"]
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)  # one with a title is for another machine
SERVICES = (
    "edgener-runtime mqtt",
    "edgener-runtime serve",
)  # they run until they are stopped: runtime/tests starts them
PROGRAM = {"sh": ["bash", "-euc"], "python": [sys.executable, "-c"]}


def blocks() -> list[tuple[str, str]]:
    """Kind and text of each example; one that is part of an earlier one is run once."""
    found: list[tuple[str, str]] = []
    for kind, text in (match for page in PAGES for match in BLOCK.findall(page.read_text(encoding="utf-8"))):
        if not any(text in earlier for _, earlier in found):
            found.append((kind, text))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize(("kind", "text"), blocks())
def test_an_example_runs_as_written(kind: str, text: str, folder: Path) -> None:
    if failed := [file.read_text(encoding="utf-8") for file in folder.glob("failed")]:
        pytest.skip(f"an earlier example failed: {failed[0]}")
    done = run([*PROGRAM[kind], text], cwd=folder)
    if done.returncode:
        (folder / "failed").write_text(text, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_every_command_has_an_example() -> None:
    from edgener.cli.main import COMMANDS
    from edgener_runtime.cli.main import main

    text = PAGES[1].read_text(encoding="utf-8")
    examples = " ".join([*(block for _, block in blocks()), *(name for name in SERVICES if f"`{name} out/" in text)])
    names = [*(f"edgener {name}" for name in COMMANDS), *(f"edgener-runtime {name}" for name in main.commands)]
    assert [name for name in names if name not in examples] == []
