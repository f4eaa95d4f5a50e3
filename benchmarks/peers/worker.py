"""A peer's process: started, asked over its standard streams, stopped while another is measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgener_runtime.errors import DeviceError

from .environments import command_of, node_packages
from .table import Peer

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Workplace:
    """What all workers share: the folder of environments, models and logs, the checkpoint, the bundle, the threads."""

    cache: Path
    checkpoint: Path
    bundle: Path
    models: Path
    threads: int
    first_text: str


class Worker:
    """A running peer; a context manager that ends it. `cold_start` is seconds from process start to first entities."""

    def __init__(self, peer: Peer, place: Workplace) -> None:
        self.peer = peer
        self._log = place.cache / "logs" / f"{peer.name}.txt"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        begun = time.perf_counter()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                _command(peer, place),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(peer, place),
            )
        self.first = self._answer()["first"]
        self.cold_start = time.perf_counter() - begun

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()  # the kernel ends a stopped process too
        self._process.communicate()

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """The answer to a command of workers/protocol.py. Raises DeviceError with the log where the worker ended."""
        stdin = self._process.stdin
        if stdin and self._process.poll() is None:
            stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            stdin.flush()
        return self._answer()

    def pause(self) -> None:
        """Stop the process where it stands, so that no waiting thread of it spins on a core."""
        self._process.send_signal(signal.SIGSTOP)

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let the stopped process go on meanwhile."""
        self._process.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.pause()

    def rss(self) -> float:
        """Megabytes that lie in memory now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(kilobytes) * 1024 / 1e6

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else b""
        if not line:
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ended(self) -> DeviceError:
        code = self._process.wait()
        last = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        return DeviceError(
            f"the worker of {self.peer.name} ended with exit code {code}: {' '.join(last)}", f"Read {self._log}"
        )


def _command(peer: Peer, place: Workplace) -> list[str]:
    fields = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(place).items()}
    fields.pop("cache")
    command = command_of(place.cache, peer.environment, HERE / "workers" / peer.script)
    runs = {"threads": 1, "streams": place.threads} if peer.streams else {"streams": 1}
    return [*command, json.dumps(fields | {"form": peer.form} | runs)]


def _environment(peer: Peer, place: Workplace) -> dict[str, str]:
    """The same number of threads for every library, and nothing from the network."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), str(place.threads))
    node = {"NODE_PATH": str(node_packages(place.cache, peer.environment) or "")}
    return os.environ | counts | node | {"TOKENIZERS_PARALLELISM": "true", "HF_HUB_OFFLINE": "1"}
