"""Root folders with Python and little else, and the folder for a device in them; see tools/test_device.sh."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "device"
PAGE = (ROOT / "docs" / "how-to" / "deploy.md").read_text(encoding="utf-8")
BUNDLE = ROOT / "runtime" / "tests" / "bundle"
PLATFORMS = {"amd64": "linux-x86_64", "arm64": "linux-aarch64"}
QEMU = "/qemu-aarch64-static"
NOBODY = 65534


def section(title: str) -> list[str]:
    """The blocks of commands in a section of the page on deployment."""
    text = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh[^\n]*\n(.*?)```", text, re.DOTALL)
    assert blocks, f"deploy.md has no commands in {title!r}"
    return blocks


@dataclass(frozen=True)
class Root:
    """A root folder of one architecture; what runs in it runs as nobody, with busybox as its shell."""

    folder: Path
    architecture: str

    def run(self, script: str, before: str = "", as_root: bool = False) -> subprocess.CompletedProcess[str]:
        """A script of the device's shell in /tmp, after one of this machine's, in namespaces of their own."""
        become = f"--userspec={NOBODY}:{NOBODY}" if os.geteuid() == 0 and not as_root else ""
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        line = f'{before}\nexec chroot {become} "{self.folder}" /bin/sh -c "$SCRIPT"'
        command = ["unshare", *user, "--mount", "--net", "bash", "-ec", line]
        environment = {
            "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
            "SCRIPT": f"PATH=/usr/bin:/bin; cd /tmp\n{script}",
        }
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=900)

    def receive(self, archive: Path) -> None:
        """What scp would copy."""
        shutil.copy(archive, self.folder / "tmp")


def make_folder(architecture: str, out: Path) -> Path:
    """The archive that the page's `make device-folder` makes, with the bundle of the tests, in another folder."""
    line = section("A device without pip")[0].splitlines()[0].replace(PLATFORMS["arm64"], PLATFORMS[architecture])
    words = line.removeprefix("make ").replace("out/bundle", str(BUNDLE))
    make = f"make --dry-run --old-file .venv/.ready {words}"
    command = subprocess.run(make.split(), cwd=ROOT, capture_output=True, text=True, check=True).stdout
    command = command.replace(".venv/bin/python", sys.executable).rstrip() + f" --out '{out}'"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [archive] = out.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """The archive for an architecture, made once."""
    made: dict[str, Path] = {}

    def archive(architecture: str) -> Path:
        if architecture not in made:
            made[architecture] = make_folder(architecture, tmp_path_factory.mktemp(architecture))
        return made[architecture]

    yield archive
    for file in made.values():
        shutil.rmtree(file.parent)


@pytest.fixture
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Root]:
    """A root for the architecture that the test is parametrised with."""
    architecture = request.param
    if platform.machine() != "x86_64":
        pytest.skip(f"this machine is {platform.machine()}, not x86-64")
    if not (CACHE / f"{architecture}.ready").is_file() or not (CACHE / "amd64" / "bin" / "busybox").is_file():
        pytest.skip("the root folders are not laid out: make test-device")
    made = Root(tmp_path / "root", architecture)
    shutil.copytree(CACHE / architecture, made.folder, symlinks=True)
    binaries, devices = made.folder / "bin", made.folder / "dev"
    binaries.mkdir(exist_ok=True)
    devices.mkdir(exist_ok=True)
    (devices / "null").touch()  # an empty file: only root may make the device
    if architecture == "arm64":
        emulate(made.folder)
    shutil.copy(CACHE / "amd64" / "bin" / "busybox", binaries)
    for name in ("sh", "readlink", "tar", "mkdir", "cp", "sed", "grep"):
        (binaries / name).symlink_to("busybox")
    done = made.run("true")
    if done.returncode:
        pytest.skip(f"this user cannot change the root: {done.stderr.strip()}")
    yield made
    shutil.rmtree(made.folder)


def emulate(folder: Path) -> None:
    """The kernel cannot start its Python: a script of the same name starts it in the emulator."""
    qemu = shutil.which(QEMU.strip("/"))
    if qemu is None:
        pytest.skip("no qemu-aarch64-static here: apt-get install qemu-user-static")
    shutil.copy(qemu, folder)
    python = folder / "usr" / "bin" / "python3.11"
    python.rename(folder / "usr" / "python3.11")
    python.write_text(f'#!/bin/sh\nexec {QEMU} /usr/python3.11 "$@"\n')
    python.chmod(0o755)
