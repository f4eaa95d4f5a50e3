"""Do idle connections, unfinished bodies, a long request and a model that hangs stay within their bounds?

    python benchmarks/serve_bounds.py BUNDLE --out FILE.json

Starts `edgener-runtime serve` in a process of its own for each: 260 connections that say nothing where 200 files may be
open, 200 bodies of 1 MB that never end, a request of 1 MiB beside short ones, three SIGTERMs while the model hangs, and
1,000 connections at once.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from figures import write_figures

SERVE = "from edgener_runtime.cli.main import main; main(prog_name='edgener-runtime')"
HANG = """
import time
from edgener_runtime.pipeline import TokenClassifier
predict_batch = TokenClassifier.predict_batch
def hanging(self, texts, *rest, **options):
    while any("forever" in text for text in texts):
        time.sleep(1)
    return predict_batch(self, texts, *rest, **options)
TokenClassifier.predict_batch = hanging
"""
FILES, IDLE, IDLE_SECONDS = 200, 260, 10
BODIES, BODY = 200, 1_000_000
LONG_TEXTS, LONG_TEXT = 52, 20_000
AT_ONCE = 1000
PATIENCE = 60  # seconds
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@dataclass(frozen=True)
class Bounds:
    """Of each fault: bytes of log, seconds, MB above the server before, status, exit code (None: still alive)."""

    idle_log_bytes: int
    idle_cpu_seconds: float
    idle_health_seconds: float | None
    bodies_memory_mb: float
    bodies_memory_later_mb: float
    long_status: int
    long_seconds: float
    short_seconds_beside_long: float
    hang_ready_status: int
    hang_exit_code_after_three_signals: int | None
    at_once_answered: int


class Server:
    """A server process with its log in a file."""

    def __init__(self, bundle: Path, log: Path, code: str = "", files: int = 4096) -> None:
        self.log = log
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", sys.executable, "-c", code + SERVE, "serve",
                 bundle, "--port", "0"],
                stderr=stderr,
            )  # fmt: skip
        while not (found := re.search(r"listening on http://[0-9.]+:(\d+)", log.read_text())):
            if self.process.poll() is not None:
                raise click.ClickException(f"the server did not start:\n{log.read_text()}")
            time.sleep(0.05)
        self.port = int(found[1])

    def ask(self, path: str, record: object = None) -> tuple[int | None, float]:
        """Status and seconds of an answer; no status where none came."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        body = json.dumps(record) if record else None
        try:
            connection.request("POST" if body else "GET", path, body, {"Content-Type": "application/json"})
            return connection.getresponse().status, time.monotonic() - began
        except OSError:
            return None, time.monotonic() - began
        finally:
            connection.close()

    @contextlib.contextmanager
    def connections(self, count: int, first: bytes = b"") -> Iterator[None]:
        """Open connections, each with these bytes sent."""
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                opened = stack.enter_context(socket.create_connection(("127.0.0.1", self.port), PATIENCE))
                with contextlib.suppress(OSError):
                    opened.sendall(first)
            yield

    @property
    def cpu_seconds(self) -> float:
        """Of the whole process."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory_mb(self) -> float:
        """Its resident memory."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(found[1]) * 1.024 / 1000 if found else 0


@contextlib.contextmanager
def serving(bundle: Path, code: str = "", files: int = 4096) -> Iterator[Server]:
    """A server, killed at the end."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(bundle, Path(folder) / "log", code, files)
        try:
            yield server
        finally:
            server.process.kill()
            server.process.wait()


def measure(bundle: Path) -> Bounds:
    """All bounds, each with a server of its own."""
    with serving(bundle, files=FILES) as server:
        cpu = server.cpu_seconds
        with server.connections(IDLE):
            time.sleep(IDLE_SECONDS)
            cpu, log = server.cpu_seconds - cpu, server.log.stat().st_size
            status, seconds = server.ask("/healthz")
    bodies, later = _bodies(bundle)
    long_status, long_seconds, short_seconds = _long(bundle)
    with serving(bundle, HANG) as server:
        threading.Thread(target=server.ask, args=("/predict", {"text": "forever"}), daemon=True).start()
        time.sleep(3)
        for _ in range(3):
            server.process.send_signal(signal.SIGTERM)
            time.sleep(1)
        code = server.process.poll()
    with serving(bundle, HANG) as server:
        threading.Thread(target=server.ask, args=("/predict", {"text": "forever"}), daemon=True).start()
        time.sleep(90)
        ready, _ = server.ask("/readyz")
    return Bounds(
        log, round(cpu, 2), round(seconds, 3) if status == 200 else None, round(bodies, 1), round(later, 1),
        long_status or 0, round(long_seconds, 1), round(short_seconds, 2), ready or 0, code, _at_once(bundle),
    )  # fmt: skip


def _bodies(bundle: Path) -> tuple[float, float]:
    """MB above the server before, with bodies that never end, and once their clients left."""
    with serving(bundle) as server:
        server.ask("/predict", {"text": "oil leak"})
        before = server.memory_mb
        with server.connections(BODIES, HEAD % BODY + b" " * (BODY - 10_000)):
            time.sleep(2)
            grown = server.memory_mb - before
        time.sleep(2)
        return grown, server.memory_mb - before


def _long(bundle: Path) -> tuple[int | None, float, float]:
    """Status and seconds of a long request, or of as many of its texts as are accepted; most seconds of short ones."""
    texts = [("oil leak at the seal of feed pump P-101 " * LONG_TEXT)[:LONG_TEXT]] * LONG_TEXTS
    short = 0.0
    with serving(bundle) as server, ThreadPoolExecutor(1) as thread:
        while True:
            asked = thread.submit(server.ask, "/predict", {"texts": texts})
            while not asked.done():
                time.sleep(0.1)
                short = max(short, server.ask("/predict", {"text": "oil leak at pump"})[1])
            status, seconds = asked.result()
            if status != 413 or len(texts) == 1:
                return status, seconds, short
            texts = texts[: len(texts) * 3 // 4]


def _at_once(bundle: Path) -> int:
    """How many of the clients that connect at once have an answer."""
    with serving(bundle) as server, ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(server.ask, ["/healthz"] * AT_ONCE))
    return sum(status == 200 for status, _ in answers)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there.")
def main(bundle: Path, out: Path) -> None:
    """Measure the bounds of the server."""
    record = asdict(measure(bundle)) | {
        "idle": f"{IDLE} connections for {IDLE_SECONDS} s, {FILES} open files",
        "bodies": f"{BODIES} of {BODY} bytes without their end",
        "long": f"{LONG_TEXTS} texts of {LONG_TEXT} characters, or as many as are accepted",
        "hang": "readiness 90 s after a model stopped answering; exit code 3 s after the first of three SIGTERMs",
        "at_once": f"{AT_ONCE} connections",
    }
    write_figures(out, bundle, record)


if __name__ == "__main__":
    main()
