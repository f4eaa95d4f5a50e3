"""Devices as SSH servers on this machine, each with a folder of its own, and a runtime that measures nothing."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgener.fleet.hosts import Host

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
KEYGEN = shutil.which("ssh-keygen")

CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {authorized}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel ERROR
"""

# the device's name selects its behaviour
SYNTHETIC_RUNTIME = '''
import json, os, signal, sys, time
from pathlib import Path

RESULT = r"""{result}"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    options = dict(zip(sys.argv[1:], sys.argv[2:]))
    spec = json.loads(Path(options["--spec"]).read_text())
    name, out = spec["name"], Path(options["--out"])
    say(f"asked: {{' '.join(sys.argv[1:2])}}")
    Path(os.environ["TMPDIR"], "rubbish").write_text("left where it may")
    assert (Path(sys.argv[2]) / "manifest.json").is_file()
    if spec["texts"]:
        say(f"texts of {{spec['data']}}: {{json.dumps(spec['texts'])}}")
    result = RESULT.replace("NAME", name)
    out.write_text(result.replace('"partial": false', '"partial": true'))
    say("half-way")
    if name.startswith("slow"):
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            say("interrupted")
            sys.exit(130)
    if name.startswith("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("fails"):
        say("error: no device cuda here")
        say("  Take --device cpu.")
        sys.exit(6)
    if name.startswith("lies"):
        result = "no result"
    if name.startswith("silent"):
        out.unlink()
    else:
        out.write_text(result)


main()
'''


@dataclass(frozen=True)
class Device:
    """A running server; `host` reaches it, `folder` is where its temporary folders are made."""

    host: Host
    folder: Path
    process: subprocess.Popen[bytes]

    def is_empty(self) -> bool:
        """Whether nothing is left in its folder; one that is cut off removes it by itself, in a moment."""
        for _ in range(100):
            if not any(self.folder.iterdir()):
                return True
            time.sleep(0.05)
        return False

    def sessions(self) -> list[int]:
        """Processes of the connections that it serves, theirs included."""
        return _below(self.process.pid)

    def cut(self) -> None:
        """Break its connections off, as where the power or the network goes."""
        for pid in _children(self.process.pid):
            os.kill(pid, signal.SIGKILL)

    def vanish(self) -> None:
        """Break them off, and listen to nobody any more."""
        servers = [self.process.pid, *_children(self.process.pid)]
        for pid in servers:
            os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Keys:
    """A client's key, and the file of the host keys that it knows."""

    key: Path
    known_hosts: Path


def make_key(file: Path) -> Path:
    """A new private key, with the public one beside it."""
    if KEYGEN is None:
        pytest.skip("ssh-keygen is not on this machine: apt-get install openssh-client")
    subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return file


def make_keys(folder: Path) -> Keys:
    return Keys(make_key(folder / "client"), folder / "known_hosts")


@contextmanager
def device(name: str, folder: Path, keys: Keys, most_bytes: int | None = None, known: bool = True) -> Iterator[Device]:
    """A server that is stopped at the end; with `most_bytes`, no file on it may grow longer."""
    if SSHD is None:
        pytest.skip("sshd is not on this machine: apt-get install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd asks for it where it may separate privileges
    home, port = folder / name, _free_port()
    home.mkdir()
    (home / "disk").mkdir()
    make_key(home / "host")
    (home / "config").write_text(CONFIG.format(port=port, folder=home, authorized=f"{keys.key}.pub"))
    if known:
        with keys.known_hosts.open("a") as file:
            file.write(f"[127.0.0.1]:{port} {(home / 'host.pub').read_text()}")
    host = Host(
        name, "127.0.0.1", port, None, str(keys.key), str(keys.known_hosts), sys.executable, folder=str(home / "disk")
    )
    process = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", home / "config"], stderr=(home / "log").open("wb"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)) if most_bytes else None,
    )  # fmt: skip
    try:
        _await_port(port, process, home / "log")
        yield Device(host, home / "disk", process)
    finally:
        for pid in (*_below(process.pid), process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def synthetic_wheel(folder: Path, result: str) -> Path:
    """A wheel of a runtime whose bench writes `result`, with NAME replaced by the device's name."""
    files = {"edgener_runtime/__init__.py": "", "edgener_runtime/__main__.py": SYNTHETIC_RUNTIME.format(result=result)}
    needs = "Provides-Extra: cpu\nRequires-Dist: synthetic-onnxruntime; extra == 'cpu'\n"
    return write_wheel(folder, "edgener_runtime", files, needs)


def write_wheel(folder: Path, name: str, files: dict[str, str], needs: str = "") -> Path:
    """A wheel of version 0.1.0 that pip takes."""
    info = f"{name}-0.1.0.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    wheel = folder / f"{name}-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, content in files.items():
            archive.writestr(file, content)
    return wheel


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            pytest.fail(f"sshd ended: {log.read_text()}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail("sshd does not answer")


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _below(pid: int) -> list[int]:
    return [found for child in _children(pid) for found in (child, *_below(child))]
