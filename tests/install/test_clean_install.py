"""Each wheel and each source distribution, installed into an empty environment and run there; make release-check."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import ROOT, Environment, third_party

pytestmark = pytest.mark.install

BUNDLE = ROOT / "runtime" / "tests" / "bundle"
TEXT = "Pump P-101 leaks at the seal"
Make = Callable[[], Environment]


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def place_of(environment: Environment, package: str) -> Path:
    """Where a package is imported from."""
    code = f"import {package}; print({package}.__file__)"
    return Path(environment.answer("python", "-c", code).strip())


@pytest.mark.parametrize("pattern", ["edgener_runtime-*.whl", "edgener_runtime-*.tar.gz"])
def test_the_runtime_runs_a_bundle_with_nothing_but_what_it_requires(
    dist: Path, make_environment: Make, pattern: str
) -> None:
    environment = make_environment()
    environment.install(f"{only(dist, pattern)}[cpu]")
    assert place_of(environment, "edgener_runtime").is_relative_to(environment.site)
    assert "predict" in environment.answer("edgener-runtime", "--help")
    environment.answer("edgener-runtime", "verify", BUNDLE)
    (answer,) = environment.answer("edgener-runtime", "predict", BUNDLE, TEXT).splitlines()
    assert json.loads(answer)["entities"]
    assert environment.run("python", "-c", "import torch").returncode == 1
    install_as_the_hint_says(environment)


def install_as_the_hint_says(environment: Environment) -> None:
    """A service whose extra is missing prints a line; a shell that runs it installs the extra."""
    done = environment.run("edgener-runtime", "mqtt", BUNDLE)
    assert done.returncode == 6 and environment.run("python", "-c", "import paho.mqtt").returncode == 1
    (line,) = re.findall(r"pip install .*", done.stderr)
    assert " @ file://" in line and line.endswith('# published: pip install "edgener-runtime[mqtt]"')
    environment.run_line(line)
    environment.answer("python", "-c", "import paho.mqtt")


@pytest.mark.parametrize("pattern", ["edgener-*.whl", "edgener-*.tar.gz"])
def test_the_build_side_runs_beside_the_runtime_of_its_version(
    dist: Path, make_environment: Make, pattern: str
) -> None:
    """What others make (torch and so on) is this environment's; `doctor` compares it with what edgener requires."""
    environment = make_environment()
    environment.borrow(third_party())
    # hatchling is borrowed too, so a source distribution needs no package index
    environment.install("--no-deps", "--no-build-isolation", only(dist, "edgener_runtime-*.whl"), only(dist, pattern))
    for package in ("edgener", "edgener_exporters", "edgener_runtime"):
        assert place_of(environment, package).is_relative_to(environment.site)
    assert "export" in environment.answer("edgener", "--help")
    assert "int8-dynamic" in environment.answer("edgener", "variants")
    assert "sentences" in environment.answer("edgener", "data", "inspect", "--data", "builtin:factory")
    environment.answer("edgener", "doctor", "--device", "cpu")  # fails where a requirement is missing or does not fit


def test_a_checkout_is_not_importable_there(make_environment: Make) -> None:
    """Else the tests above would prove nothing."""
    environment = make_environment()
    environment.borrow(third_party())
    for package in ("edgener", "edgener_exporters", "edgener_runtime"):
        assert environment.run("python", "-c", f"import {package}").returncode == 1
