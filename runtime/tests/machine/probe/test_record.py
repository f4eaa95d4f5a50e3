"""The whole probe, of this machine and of copies of others' files, and the command that shows it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.base.serde import from_json, to_json
from edgener_runtime.errors import ProviderError, UserInputError
from edgener_runtime.machine.devices import DEVICES, hardware_devices
from edgener_runtime.machine.probe.cuda import cuda_driver
from edgener_runtime.machine.probe.describe import describe, devices_table, page_width, platforms_page
from edgener_runtime.machine.probe.platforms import JETPACKS, TOOLKITS
from edgener_runtime.machine.probe.record import Probe, probe

from .boards import BOARDS

pytestmark = pytest.mark.compat

Run = Callable[..., Any]


def test_this_machine_is_probed_whatever_it_misses() -> None:
    found = probe()
    assert found.driver == cuda_driver()
    assert found.device("cpu").ready
    assert from_json(Probe, to_json(found), "probe") == found


@pytest.mark.parametrize("name", BOARDS)
def test_a_copy_is_found_and_stays_itself_through_json(name: str, board: Callable[[str], Path]) -> None:
    found = probe(board(name))
    assert (found.jetson is None) == (name == "no-jetson")
    assert found.cpu.architecture == "aarch64" and found.cpu.usable is None and found.packages.python is None
    assert found.driver.why == "a copy of another machine's files has no driver to ask"
    assert from_json(Probe, to_json(found), "probe") == found


def test_a_root_that_is_not_a_folder_is_reported(tmp_path: Path, run: Run) -> None:
    with pytest.raises(UserInputError, match="is not a folder"):
        probe(tmp_path / "none")
    assert run("devices", "--root", tmp_path / "none").code == 2


def test_nothing_heavy_is_loaded() -> None:
    """A probe that loaded what it looks for could crash with it."""
    code = "import sys; from edgener_runtime.machine.probe.record import probe; probe(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"onnxruntime", "numpy", "tensorrt", "tokenizers"} & set(done.stdout.split()) == set()


# --- the command


def test_it_is_shown_to_a_person(run: Run) -> None:
    done = run("devices")
    assert (done.code, done.err) == (0, "")
    names = [line.split()[0] for line in done.out.splitlines() if line[:1].strip()]
    expected = ["machine", "memory", "python", "packages", "driver", "libraries", "jetson", "cpu", "cuda", "tensorrt"]
    assert [name for name in expected if name not in names] == []
    assert "tensorrt, tensorrt-ort, jetson: not run on a device yet" in " ".join(done.out.split())


def test_it_is_shown_to_a_program(run: Run) -> None:
    done = run("devices", "--json")
    assert done.code == 0
    assert json.loads(done.out)["schema_version"] == 1


@pytest.mark.skipif(bool(cuda_driver().gpus), reason="there is a GPU here")
@pytest.mark.parametrize("device", [name for name in hardware_devices() if name != "cpu"])
def test_a_device_that_is_not_there_is_an_error_with_the_next_command(device: str, run: Run) -> None:
    done = run("devices", "--device", device, "--json")
    assert done.code == 6
    state = next(provider for provider in json.loads(done.out)["providers"] if provider["name"] == device)
    assert f"{device} cannot run here: {state['missing'][0]}" in done.err
    assert state["install"] in done.err


def test_a_device_that_is_there_passes(run: Run) -> None:
    assert run("devices", "--device", "cpu").code == 0
    probe().require("cpu")


def test_a_device_that_there_is_not_is_refused(run: Run) -> None:
    assert run("devices", "--device", "tpu").code == 2


def test_a_copy_of_a_jetson_is_shown(board: Callable[[str], Path], run: Run) -> None:
    done = run("devices", "--root", board("orin-nano"))
    shown = " ".join(done.out.split())  # a fold may fall anywhere
    assert done.code == 0
    for words in (
        "Jetson Orin Nano Engineering Reference Developer Kit Super; tegra234, Jetson Linux 36.4.3, JetPack 6.2",
        "compute capability 8.7, power mode MAXN_SUPER, 0 DLA cores",
        "4.41 W: VDD_IN 4.41, VDD_CPU_GPU_CV 0.60, VDD_SOC 1.48",
        "17000000.gpu: 306 MHz, 306 to 1020",
        "cpu-thermal 47.6, gpu-thermal 48.2, tj-thermal 48.8",
        "8.0 GB, 4.0 GB left",
    ):
        assert words in shown


@pytest.mark.parametrize(("columns", "width"), [("", 80), ("40", 80), ("100", 100), ("200", 120)])
def test_lines_fit_the_page(
    columns: str, width: int, board: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = [line for name in BOARDS for line in describe(probe(board(name)))]
    assert page_width() == width and max(map(len, shown)) <= width


def test_a_device_is_required_by_name() -> None:
    found = probe()
    for state in found.devices:
        if not state.ready:
            with pytest.raises(ProviderError, match=f"{state.name} cannot run here") as raised:
                found.require(state.name)
            assert raised.value.hint == state.install and raised.value.exit_code == 6


def test_an_unknown_device_is_reported_with_the_known_ones() -> None:
    with pytest.raises(UserInputError, match="there is no device 'gpu'") as raised:
        probe().require("gpu")
    assert raised.value.hint == f"Choose one of: {', '.join(hardware_devices())}"


def test_the_tables_have_a_row_per_line(run: Run) -> None:
    page = platforms_page()
    assert run("devices", "--markdown").out == f"{devices_table()}\n\n{page}\n"
    assert [name for name in DEVICES if f"| `{name}` |" not in devices_table()] == []
    assert [line.name for line in JETPACKS if f"| {line.name} |" not in page] == []
    assert [kit.cuda for kit in TOOLKITS if kit.onnxruntime not in page or kit.tensorrt not in page] == []
