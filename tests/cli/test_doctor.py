"""`edgener doctor`: the machine, and whether the build side's packages fit."""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest
from click.testing import CliRunner, Result

import edgener.doctor as module
from edgener.cli.main import main
from edgener.doctor import BuildRequirement, Examination, describe_build, examine, installed_requirements
from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.errors import DeviceError
from edgener_runtime.machine.probe.cuda import cuda_driver
from edgener_runtime.machine.probe.record import probe

UNFIT = ["torch>=99", "no-such-package[more]>=1", "click", 'tensorboard>=99; extra == "tensorboard"']


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments])


def test_this_environment_fits() -> None:
    done = run()
    assert done.exit_code == 0, done.output
    lines = " ".join(done.output.split())
    for name in ("torch", "transformers", "onnx", "edgener-runtime"):
        assert f"{name} {version(name)}" in lines
    assert "not run on a device yet" in done.output


def test_json_is_the_examination() -> None:
    record = json.loads(run("--json").output)
    assert record["edgener"] == version("edgener")
    assert all(package["fits"] for package in record["build"])
    assert [provider["name"] for provider in record["probe"]["providers"]][:2] == ["cpu", "cuda"]
    found = examine()
    assert from_json(Examination, to_json(found), "doctor") == found


@pytest.mark.skipif(bool(cuda_driver().gpus), reason="there is a GPU here")
@pytest.mark.parametrize("device", ["cuda", "tensorrt", "jetson"])
def test_a_device_that_is_not_there_ends_with_6(device: str) -> None:
    done = run("--device", device)
    assert done.exit_code == 6
    assert f"{device} cannot run here" in done.stderr


def test_a_device_that_is_there_ends_well() -> None:
    assert run("--device", "cpu").exit_code == 0


def test_packages_that_are_missing_or_too_old_do_not_fit() -> None:
    torch, missing, click = installed_requirements(UNFIT)
    assert torch == BuildRequirement("torch", "torch>=99", version("torch"), False)
    assert missing == BuildRequirement("no-such-package", "no-such-package[more]>=1", None, False)
    assert click.fits


def test_what_does_not_fit_is_an_error_with_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "requires", lambda name: UNFIT)
    done = run()
    assert done.exit_code == 6
    assert f"needs torch>=99, found {version('torch')}; no-such-package[more]>=1, found none" in done.stderr
    assert 'pip install "torch>=99" "no-such-package[more]>=1"' in done.stderr
    assert "missing: torch>=99" in done.stdout


def test_an_environment_that_fits_raises_nothing() -> None:
    fits = Examination("1", (BuildRequirement("torch", "torch>=2", "2.6", True),), probe())
    fits.require_build()
    assert describe_build(fits) == ["edgener       1", "build         torch 2.6"]
    with pytest.raises(DeviceError):
        Examination("1", (BuildRequirement("torch", "torch>=2", None, False),), fits.probe).require_build()
