"""docs/tutorial/jetson.md: the laptop's commands run as written, the Jetson's take these options and fail well here."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edgener_runtime.cli.main import main
from edgener_runtime.machine.probe.record import probe

from . import running

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial" / "jetson.md").read_text(encoding="utf-8")
DEPLOY = (ROOT / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8")
BLOCK = re.compile(r'```sh title="([^"]+)"\n(.*?)```', re.DOTALL)
LAPTOP, JETSON = "On the laptop", "On the Jetson"
TRAINING = "edgener train"


def blocks(kind: str) -> list[str]:
    return [text.replace("\\\n", " ") for found, text in BLOCK.findall(PAGE) if found == kind]


def commands(text: str) -> Iterator[list[str]]:
    """The words of every command of ours in a text."""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["edgener-runtime"]:
            yield words[1:]


ON_JETSON = [words for text in blocks(JETSON) for words in commands(text)]


@pytest.fixture(scope="module")
def folder(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a checkpoint as the page's first command makes one, but of seconds, and the runtime's sources."""
    made = tmp_path_factory.mktemp("jetson")
    shutil.copytree(trained, made / "out" / "checkpoint")
    (made / "runtime").symlink_to(ROOT / "runtime")
    return made


def run(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return running.run(["bash", "-euc", text], cwd=folder)


def test_it_is_trained_as_in_the_readme_where_that_is_run() -> None:
    [training] = [text for text in blocks(LAPTOP) if text.startswith(TRAINING)]
    assert training in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [text for text in blocks(LAPTOP) if not text.startswith(TRAINING)])
def test_the_laptops_commands_run_as_written(text: str, folder: Path) -> None:
    done = run(text, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("words", ON_JETSON, ids=" ".join)
def test_the_jetsons_commands_take_these_options(words: list[str]) -> None:
    assert main.commands[words[0]].make_context(words[0], list(words[1:])).params


@pytest.mark.parametrize("words", [words for words in ON_JETSON if words[0] not in ("serve", "mqtt")], ids=" ".join)
def test_the_jetsons_commands_say_here_why_they_cannot_run(words: list[str], folder: Path) -> None:
    if probe().jetson:
        pytest.skip("this is a Jetson")
    if not (folder / "out" / "laptop.json").is_file():
        pytest.skip("needs the laptop's bundle and report, which the tests above make")
    done = run(f"cd out && edgener-runtime {shlex.join(words)}", folder)
    if "--device" not in words:
        assert done.returncode == 0 and "jetson" in done.stdout
        return
    assert done.returncode == 6, done.stderr
    assert "Jetson" in done.stderr and "Traceback" not in done.stderr


def test_each_kind_of_device_is_said_not_to_have_been_run() -> None:
    assert "**not been run on a device yet**" in PAGE
    assert "**the images were not built, and did not run on a GPU or a Jetson**" in " ".join(DEPLOY.split())


def test_the_containers_commands_are_those_of_the_recipes() -> None:
    for line in re.findall(r"docker build .*", DEPLOY):
        recipe = ROOT / line.split(" -f ")[1].split()[0]
        assert f"#   {line}" in recipe.read_text(encoding="utf-8")
    [started] = re.findall(r"docker run (.*edgener:cpu) selftest (\S+)", DEPLOY)
    assert isinstance(main.commands["selftest"].make_context("selftest", [started[1]]), click.Context)


@pytest.mark.jetson
def test_the_jetsons_commands_run_there(folder: Path) -> None:
    """With TensorRT. Not run on a device yet."""
    if not probe().jetson:
        pytest.skip("needs a Jetson")
    for words in ON_JETSON[:4]:
        done = run(f"cd out && edgener-runtime {shlex.join(words)}", folder)
        assert done.returncode == 0, done.stderr
