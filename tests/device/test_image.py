"""The image for CPUs, by the page's commands: built and run by podman, from Debian's packages and the package index.

podman has a folder of its own for images, and what runs is in a network of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import BUNDLE, CACHE, ROOT, section

pytestmark = pytest.mark.environment

[COMMANDS] = section("Containers")
IMAGE, TOKEN, SERVE, SELFTEST = re.sub(r"\\\n\s*", "", COMMANDS).splitlines()
BASE = re.findall(r"^ARG BASE=(.*)$", (ROOT / "recipes" / "cpu.Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)[
    0
]
SETTINGS = """
[containers]
default_ulimits = []
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
"""
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/images"
runroot = "{folder}/run"
"""
# podman in the place of docker: as strict about /tmp, and without timers of systemd for health checks
DOCKER = """#!/bin/sh
[ "$1" = run ] || exit 1
shift
exec podman run --name "edgener-$$" --read-only-tmpfs=false --no-healthcheck "$@"
"""
ASK = """
ip link set lo up
{token}
{serve} &
for attempt in $(seq 600); do
    curl -sf localhost:8080/readyz && break
    sleep 0.1
done
container=$(podman ps --quiet)
echo
ask() {{ curl -s localhost:8080/predict -H 'content-type: application/json' -d '{{"text": "oil leak"}}' "$@"; }}
ask -w '%{{http_code}}\\n' -o /dev/null
ask -H "authorization: Bearer $EDGENER_TOKEN"
echo
podman exec "$container" {health} && echo healthy
podman exec "$container" id -u
kill -TERM %1
wait %1
"""


class Containers:
    """Commands of a shell with a `docker` that is podman, in a folder with out/bundle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("containers.conf", SETTINGS), ("storage.conf", STORAGE.format(folder=folder))):
            (folder / name).write_text(text)
        (folder / "bin").mkdir()
        (folder / "bin" / "docker").write_text(DOCKER)
        (folder / "bin" / "docker").chmod(0o755)
        (folder / "cwd" / "out").mkdir(parents=True)
        shutil.copytree(BUNDLE, folder / "cwd" / "out" / "bundle")

    def run(self, script: str, network: bool = False, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        paths = {"CONTAINERS_CONF": "containers.conf", "CONTAINERS_STORAGE_CONF": "storage.conf"}
        environment = {**os.environ, **{name: str(self.folder / file) for name, file in paths.items()}}
        environment["PATH"] = f"{self.folder / 'bin'}:{os.environ['PATH']}:/usr/sbin:/sbin"
        command = [*([] if network else ["unshare", "--mount", "--net"]), "bash", "-c", script]
        return subprocess.run(
            command, cwd=cwd or self.folder / "cwd", env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """With Debian as the base image, and no other."""
    if os.geteuid() or not shutil.which("podman") or not shutil.which("runc"):
        pytest.skip("root and podman with runc are needed: apt-get install podman runc")
    if not (CACHE / "debian.tar").is_file():
        pytest.skip("Debian is not laid out: make test-device")
    made = Containers(tmp_path_factory.mktemp("containers"))
    base = made.run(
        f"podman import {CACHE / 'debian.tar'} docker.io/library/{BASE} && podman run --rm {BASE} true", True
    )
    if base.returncode:
        pytest.skip(f"podman cannot run a container here: {base.stderr.strip()[-300:]}")
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)  # a gigabyte


@pytest.fixture(scope="module")
def image(containers: Containers) -> Containers:
    """After the page's command that builds the image, with a bundle in a second one."""
    done = containers.run(f"{IMAGE} BUNDLE={BUNDLE}", network=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    *_, told, command = done.stdout.splitlines()
    assert told.startswith("edgener:cpu-bundle is built by podman")
    assert command.strip() == SERVE.replace("docker", "podman").replace(' -v "$PWD/out:/models:ro"', "") + "-bundle"
    return containers


def test_the_image_serves_as_the_page_says(image: Containers) -> None:
    inspected = image.run("podman image inspect edgener:cpu")
    [described] = json.loads(inspected.stdout)
    kind, *check = described["Healthcheck"]["Test"]
    assert (kind, described["User"]) == ("CMD", "10001:10001")
    health = " ".join(f"'{word}'" if "'" not in word else f'"{word}"' for word in check)
    done = image.run(ASK.format(token=TOKEN, serve=SERVE, health=health))
    assert done.returncode == 0, done.stdout + done.stderr
    ready, refused, answer, healthy, user = done.stdout.splitlines()
    assert (json.loads(ready)["status"], refused, healthy, user) == ("ready", "401", "healthy", "10001")
    assert json.loads(answer)["entities"]


def test_selftest_passes_without_a_network(image: Containers) -> None:
    done = image.run(SELFTEST)
    assert done.returncode == 0 and "pass: " in done.stdout, done.stdout + done.stderr


def test_an_image_with_a_bundle_needs_nothing_mounted(image: Containers) -> None:
    run = "docker run --rm --read-only --network none edgener:cpu-bundle predict /models/bundle 'oil leak'"
    done = image.run(run)
    assert done.returncode == 0 and json.loads(done.stdout)["entities"], done.stderr
