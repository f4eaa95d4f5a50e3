"""The table of devices: a row that is added to it appears everywhere, and its requirements decide in every command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgener_runtime.cli.main import main
from edgener_runtime.machine.devices import (
    CPU,
    CUDA,
    TENSORRT,
    engine_devices,
    hardware_devices,
    provider_title,
)
from edgener_runtime.machine.probe.describe import devices_table
from edgener_runtime.machine.probe.jetson import jetson

# A program with one more row in the table, whose requirement no machine but a Jetson meets.
WITH_A_ROW = """
import sys
from edgener_runtime.machine.devices import CUDA, DEVICES, Device
DEVICES["npu"] = Device("npu", "a synthetic accelerator", CUDA, ("jetson",), "tensorrt")
{}
"""
MAIN = "from edgener_runtime.cli.main import main; main(sys.argv[1:], prog_name='edgener-runtime')"
MISSING = "this machine is not a Jetson: neither /proc/device-tree/compatible nor /etc/nv_tegra_release names one"


def with_a_row(*arguments: object, program: str = MAIN) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITH_A_ROW.format(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def has_device_option(command: str) -> bool:
    return any(option.name in ("device", "devices") for option in main.commands[command].params)


@pytest.mark.parametrize("command", ["bench", "devices", "predict", "selftest", "serve"])
def test_an_added_row_is_a_choice_of_every_command(command: str) -> None:
    assert has_device_option(command)
    done = with_a_row(command, "--help")
    assert "npu" in done.stdout, done.stderr


def test_an_added_row_is_in_the_docs_table() -> None:
    done = with_a_row("devices", "--markdown")
    assert "| `npu` | a synthetic accelerator | a Jetson | **not run on a device yet** |" in done.stdout
    assert done.stdout.partition("\n\n")[0] != devices_table()  # the docs' test fails until the page has the row


@pytest.mark.skipif(jetson() is not None, reason="this is a Jetson")
def test_an_added_row_gives_exit_6_where_it_is_missing(bundle: Path) -> None:
    for arguments in (("predict", bundle, "oil leak", "--device", "npu"), ("devices", "--device", "npu")):
        done = with_a_row(*arguments)
        assert done.returncode == 6, done.stderr
        assert MISSING in done.stderr and "Choose another device" in done.stderr


@pytest.mark.skipif(jetson() is not None, reason="this is a Jetson")
@pytest.mark.parametrize("name", [name for name in hardware_devices() if name != "jetson"])
def test_a_requirement_is_worded_once(name: str) -> None:
    """What a process reports before it opens a session, the probe reports in the same words."""
    program = f"""
from edgener_runtime.backends.requirements import missing_here
from edgener_runtime.machine.probe.record import probe
device = DEVICES[{name!r}]
live = [each.what for each in missing_here(device) if each.requirement != "engine"]
print(set(live) <= set(probe().device(device.name).missing))
"""
    assert with_a_row(program=program).stdout == "True\n"


def test_the_devices_that_run_engines_are_found_by_their_rows() -> None:
    assert engine_devices() == ("tensorrt", "jetson")


def test_providers_have_short_names() -> None:
    assert [provider_title(provider) for provider in (CPU, CUDA, TENSORRT)] == ["CPU", "CUDA", "TensorRT"]
