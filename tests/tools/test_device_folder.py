"""The folder for a device: its launcher, each error of it, and the choice of wheels; no index is asked.

The wheels here are empty ones with the names of those that the runtime requires. tests/device has the real ones.
"""

from __future__ import annotations

import ast
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from tools.device_folder.folder import make_archive
from tools.device_folder.wheels import Target, collect_wheels, name_and_version

from edgener_runtime.errors import BundleError, DeviceError, UserInputError

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "device_folder"
PYTHON = "{}.{}".format(*sys.version_info)
HERE = f"linux-{platform.machine()}"
PLAIN, ARM64 = "py3-none-any", "cp310-cp310-manylinux_2_27_aarch64"
# package, its wheel's tag, and what it requires
INDEX = {
    "numpy": (ARM64, ()),
    "tokenizers": ("cp39-abi3-manylinux2014_aarch64", ()),
    "onnxruntime": (ARM64, ("numpy",)),
    "click": (PLAIN, ("colorama; sys_platform == 'win32'",)),
    "starlette": (PLAIN, ("anyio",)),
    "uvicorn": (PLAIN, ()),
    "prometheus-client": (PLAIN, ()),
    "anyio": (PLAIN, ("exceptiongroup; python_version < '3.11'", "only-new; python_version >= '3.11'")),
    "exceptiongroup": (PLAIN, ("only-arm; platform_machine == 'aarch64'",)),
    "only-arm": (PLAIN, ()),
    "only-new": (PLAIN, ()),
}


# --- the launcher


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as the tool makes it, whose runtime prints what it was called with."""
    made = tmp_path / "made"
    package = made / "packages" / "edgener_runtime" / "cli"
    package.mkdir(parents=True)
    package.parent.joinpath("__init__.py").touch()
    package.joinpath("main.py").write_text("import sys\ndef main(): print(sys.argv, __file__)\n")
    launcher = (TOOL / "launcher.sh").read_text(encoding="utf-8").replace("@PYTHON@", PYTHON)
    made.joinpath("edgener-runtime").write_text(launcher, encoding="utf-8")
    made.joinpath("edgener-runtime").chmod(0o755)
    shutil.copy(TOOL / "start.py", made)
    describe(made)
    return made


def describe(folder: Path, **changes: str) -> None:
    fields = {"python": PYTHON, "platform": HERE, "glibc": "2.17", **changes}
    folder.joinpath("device.json").write_text(json.dumps(fields))


def start(launcher: Path, python: str | None = "python3") -> subprocess.CompletedProcess[str]:
    """On a device that has this Python under that name, and little else."""
    programs = launcher.parent.parent / "programs"
    programs.mkdir(exist_ok=True)
    programs.joinpath("readlink").symlink_to(shutil.which("readlink") or "")
    if python:
        programs.joinpath(python).symlink_to(sys.executable)
    command = [str(launcher), "predict", "bundle", "a text", ""]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": str(programs)}, cwd="/")


def let_write(folder: Path, allowed: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | 0o200 if allowed else mode & ~0o222)


def fault(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == DeviceError.exit_code and not done.stdout, done.stderr
    message, hint = done.stderr.splitlines()
    assert message.startswith("error: ") and hint.startswith("  ") and "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("name", ["python3", f"python{PYTHON}"])
def test_the_devices_python_runs_it_with_the_packages_of_the_folder(folder: Path, name: str) -> None:
    done = start(folder / "edgener-runtime", name)
    assert done.returncode == 0, done.stderr
    arguments = [str(folder / "edgener-runtime"), "predict", "bundle", "a text", ""]
    assert done.stdout == f"{arguments} {folder / 'packages/edgener_runtime/cli/main.py'}\n"


@pytest.mark.parametrize("name", ["with spaces", "设备", "quote'$HOME\"", "-dash"])
def test_the_folder_may_be_moved_to_any_path_and_be_read_only(folder: Path, name: str) -> None:
    moved = folder.rename(folder.with_name(name))
    let_write(moved, False)
    done = start(moved / "edgener-runtime")
    let_write(moved, True)
    assert done.returncode == 0 and str(moved) in done.stdout, done.stderr


def test_a_link_to_the_launcher_starts_it(folder: Path) -> None:
    (folder.parent / "bin").mkdir()
    link = folder.parent / "bin" / "edgener-runtime"
    link.symlink_to(folder / "edgener-runtime")
    done = start(link)
    assert done.returncode == 0 and str(folder / "packages") in done.stdout, done.stderr


def test_packages_of_the_device_do_not_come_first(folder: Path) -> None:
    other = folder.parent / "other" / "edgener_runtime"
    other.mkdir(parents=True)
    other.joinpath("__init__.py").write_text("raise SystemExit('that of the device')")
    environment = {**os.environ, "PYTHONPATH": str(other.parent)}
    command = [sys.executable, folder / "start.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0 and str(folder) in done.stdout, done.stderr


def test_a_device_without_python_is_told_which_one_is_needed(folder: Path) -> None:
    assert f"needs Python {PYTHON}" in fault(start(folder / "edgener-runtime", python=None))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"python": "3.9"}, f"this folder needs Python 3.9, and .* is Python {PYTHON}"),
        ({"platform": "linux-riscv64"}, f"this folder is for linux-riscv64 with 64 bits, and .* is for {HERE}"),
        ({"glibc": "9.99"}, "this folder needs glibc 9.99 or newer, and this system has glibc 2"),
    ],
)
def test_another_device_is_told_what_differs(folder: Path, changes: Mapping[str, str], expected: str) -> None:
    describe(folder, **changes)
    assert re.search(expected, fault(start(folder / "edgener-runtime")))


def test_a_path_that_pythonpath_cannot_hold_is_refused(folder: Path) -> None:
    moved = folder.rename(folder.with_name("a:b"))
    assert "has a ':' in it" in fault(start(moved / "edgener-runtime"))


def test_an_old_python_can_read_the_start() -> None:
    ast.parse((TOOL / "start.py").read_text(encoding="utf-8"), feature_version=(3, 6))


# --- the wheels


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of empty wheels, the only one that pip sees."""
    made = tmp_path / "index"
    made.mkdir()
    for name, (tag, requires) in INDEX.items():
        write_wheel(made, name, tag, requires)
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made))
    return made


def write_wheel(folder: Path, name: str, tag: str, requires: tuple[str, ...]) -> None:
    stem = f"{name.replace('-', '_')}-30.0"
    metadata = "".join(
        [f"Metadata-Version: 2.1\nName: {name}\nVersion: 30.0\n", *(f"Requires-Dist: {each}\n" for each in requires)]
    )
    with zipfile.ZipFile(folder / f"{stem}-{tag}.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", metadata)
        wheel.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


def collected(tmp_path: Path, extras: list[str], python: str = "3.10", pins: str = "") -> set[str]:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(pins)
    target = Target("linux-aarch64", python)
    wheels = collect_wheels(ROOT / "runtime", extras, target, constraints, tmp_path / "work")
    return {name_and_version(wheel)[0] for wheel in wheels}


def test_markers_are_those_of_the_device(index: Path, tmp_path: Path) -> None:
    """pip takes them for the Python that runs it: it leaves out two of these packages, and adds one."""
    found = collected(tmp_path, ["cpu", "serve"])
    assert {"exceptiongroup", "only-arm", "anyio", "edgener-runtime"} <= found
    assert not {"only-new", "colorama"} & found


def test_a_package_without_a_wheel_for_the_device_is_named(index: Path, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"no wheel of \S+ for linux-aarch64 with Python 3.12 and glibc 2\.28"):
        collected(tmp_path, ["cpu"], python="3.12")


def test_a_version_without_a_wheel_is_named(index: Path, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="no wheel of tokenizers"):
        collected(tmp_path, ["cpu"], pins="tokenizers==40.0  # newer\n")


def test_pins_for_other_pythons_are_left_out(index: Path, tmp_path: Path) -> None:
    assert "numpy" in collected(tmp_path, ["cpu"], pins='numpy==9.0; python_version >= "3.11"\n')


# --- the command


def make(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.device_folder", "--out", str(tmp_path / "out"), *options]
    path = os.pathsep.join(map(str, (ROOT, ROOT / "exporters", ROOT / "runtime")))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)


def test_the_same_input_makes_the_same_archive_and_the_next_command_is_shown(index: Path, tmp_path: Path) -> None:
    bundle = str(ROOT / "runtime" / "tests" / "bundle")
    pins = tmp_path / "constraints.txt"
    pins.touch()
    options = ["--platform", "linux-aarch64", "--python-version", "3.10", "--constraints", str(pins)]
    done = make(tmp_path, *options, "--extras", "serve", "--bundle", bundle)
    assert done.returncode == 0, done.stderr
    [archive] = (tmp_path / "out").glob("*.tar.gz")
    assert f"scp {archive} DEVICE:" in done.stdout and "edgener-runtime devices" in done.stdout
    folder = archive.with_name(archive.name.removesuffix(".tar.gz"))
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "bundle", "device.json", "edgener-runtime", "packages", "start.py", "systemd",
    }  # fmt: skip
    [unit] = (folder / "systemd").iterdir()
    start = {
        "Environment=BUNDLE=/opt/edgener/bundle",
        "ExecStart=/opt/edgener/edgener-runtime serve ${BUNDLE} $OPTIONS",
    }
    assert unit.name == "edgener-serve.service" and start <= {*unit.read_text(encoding="utf-8").splitlines()}
    assert not list((folder / "packages").glob("*/direct_url.json")), "a path of this machine"

    before = archive.read_bytes()
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))
    assert make_archive(folder).read_bytes() == before
    with tarfile.open(archive) as opened:
        entries = opened.getmembers()
    assert {(entry.uid, entry.gid, entry.mtime, entry.uname) for entry in entries} == {(0, 0, 0, "")}
    assert {entry.name.partition("/")[0] for entry in entries} == {folder.name}


@pytest.mark.parametrize(
    ("options", "code", "expected"),
    [
        (["--platform", "linux-armv7l"], UserInputError, "PLATFORM is 'linux-armv7l', expected one of: linux-x86_64"),
        (["--python-version", "3.9"], UserInputError, "PYTHON_VERSION is '3.9'"),
        (["--python-version", "3.11.4"], UserInputError, "PYTHON_VERSION is '3.11.4', expected a version such as 3.11"),
        (["--extras", "serve,gpu"], UserInputError, "EXTRAS has gpu, expected of: cpu, cuda, "),
        (["--constraints", "/nothing"], UserInputError, "CONSTRAINTS is /nothing, which is not a file"),
        (["--bundle", "docs"], BundleError, "docs is not a bundle"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_named(options: list[str], code: type, expected: str, tmp_path: Path) -> None:
    done = make(tmp_path, "--platform", "linux-aarch64", *options)
    assert done.returncode == code.exit_code and expected in done.stderr, done.stderr  # type: ignore[attr-defined]
    assert not (tmp_path / "out").exists()
