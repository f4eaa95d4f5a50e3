"""The choice of a builder and a recipe for an image; the builders here only note how they were called."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgener_runtime.errors import BundleError, DeviceError, UserInputError

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "runtime" / "tests" / "bundle"
NOTE = '#!/bin/sh\n[ "$1" != info ] || exit {info}\necho called: {name} "$@"\n'


def make_image(folder: Path, *builders: str, target: str = "cpu", bundle: str = "") -> subprocess.CompletedProcess[str]:
    """With these builders and no other; `docker!` is one whose daemon does not answer."""
    for builder in builders:
        name = builder.rstrip("!")
        (folder / name).write_text(NOTE.format(name=name, info=int(builder.endswith("!"))))
        (folder / name).chmod(0o755)
    for program in ("dirname", "bash"):
        (folder / program).symlink_to(f"/usr/bin/{program}")
    command = [str(ROOT / "tools" / "make_image.sh"), target, bundle]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": str(folder)})


def test_the_first_builder_that_answers_builds(tmp_path: Path) -> None:
    done = make_image(tmp_path, "docker", "podman")
    assert done.stdout.startswith("called: docker build -f recipes/cpu.Dockerfile -t edgener:cpu .\n"), done.stderr
    assert "docker run --rm --read-only" in done.stdout


@pytest.mark.parametrize("builder", ["podman", "buildah"])
def test_health_checks_are_kept_by_every_builder(builder: str, tmp_path: Path) -> None:
    done = make_image(tmp_path, "docker!", builder)
    assert done.stdout.startswith(f"called: {builder} build --format docker -f"), done.stderr


def test_a_bundle_makes_a_second_image(tmp_path: Path) -> None:
    done = make_image(tmp_path, "docker", target="jetpack6", bundle=str(BUNDLE))
    built = f"-f recipes/bundle.Dockerfile --build-arg IMAGE=edgener:jetpack6 -t edgener:jetpack6-bundle {BUNDLE}"
    assert built in done.stdout and "--runtime nvidia" in done.stdout and "$PWD/out" not in done.stdout


@pytest.mark.parametrize(
    ("given", "builders", "code", "expected"),
    [
        ({"target": "gpu"}, ["docker"], UserInputError, "TARGET is 'gpu', expected one of: cpu, cuda"),
        ({"target": "../x"}, ["docker"], UserInputError, "TARGET is '../x'"),
        ({"bundle": "/nothing"}, ["docker"], BundleError, "/nothing is not a bundle"),
        ({}, ["docker!"], DeviceError, "no docker that answers, no podman and no buildah"),
    ],
)
def test_a_fault_is_named(
    given: dict[str, str], builders: list[str], code: type[UserInputError], expected: str, tmp_path: Path
) -> None:
    done = make_image(tmp_path, *builders, **given)
    assert done.returncode == code.exit_code and expected in done.stderr and "called" not in done.stdout
