"""Servers to ask: the command in a process of its own, and the application in this one."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgener_runtime import Decoding, TokenClassifier
from edgener_runtime.pipeline import Answer
from edgener_runtime.services.http.connections.bind import TlsFiles

COMMAND = [sys.executable, "-c", "from edgener_runtime.cli.main import main; main(prog_name='edgener-runtime')"]
SECONDS = 600  # far beyond any load
OPENSSL = shutil.which("openssl")


@dataclass
class Running:
    """A server process: where it listens, and what it logged."""

    process: subprocess.Popen[str]
    url: str = ""
    log: list[str] = field(default_factory=list)
    reader: threading.Thread | None = None

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Its exit code and log, once the signal has ended it."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> tuple[int, str]:
        code = self.process.wait(SECONDS)
        assert self.reader
        self.reader.join(SECONDS)
        return code, "".join(self.log)


@contextlib.contextmanager
def serving(
    bundle: Path | Mapping[str, Path], *options: object,
    token: str | None = None, files: int | None = None, code: str | None = None,
) -> Iterator[Running]:  # fmt: skip
    """The command `serve` for a bundle, or for several by their names, on a free port; killed at the end if it runs.

    It may open so many `files`; `code` of the test runs first in its process.
    """
    named = bundle.items() if isinstance(bundle, Mapping) else ()
    models = [word for name, folder in named for word in ("--model", f"{name}={folder}")] or [str(bundle)]
    command = [COMMAND[0], "-c", f"{code}\n{COMMAND[2]}"] if code else COMMAND
    command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command] if files else command
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"} | ({"EDGENER_TOKEN": token} if token else {})
    process = subprocess.Popen(
        [*command, "serve", *models, "--port", "0", "--device", "cpu", "--variant", "fp32", *map(str, options)],
        stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment,
    )  # fmt: skip
    running = Running(process)
    try:
        assert process.stderr
        for line in process.stderr:
            running.log.append(line)
            if found := re.search(r"listening on (\S+)", line):
                running.url = found[1]
                break
        assert running.url, "".join(running.log)
        running.reader = threading.Thread(target=running.log.extend, args=(process.stderr,))
        running.reader.start()
        yield running
    finally:
        process.kill()
        process.wait()
        if running.reader:
            running.reader.join()
        assert process.stderr
        process.stderr.close()


def certificate(folder: Path) -> TlsFiles:
    """A certificate for 127.0.0.1 that signs itself."""
    files = TlsFiles(folder / "cert.pem", folder / "key.pem")
    words = [
        str(OPENSSL), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
        "-out", str(files.certificate), "-keyout", str(files.key),
    ]  # fmt: skip
    subprocess.run(words, check=True, capture_output=True)
    return files


def wait_until(running: Running, words: str) -> None:
    """Until a line of the log has these words."""
    wait_for(lambda: any(words in line for line in running.log), running)


def wait_for(condition: Callable[[], object], running: Running) -> None:
    """Until the condition is met; fails with the log where it is not."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "".join(running.log)
        assert running.process.poll() is None, "".join(running.log)
        time.sleep(0.02)


class Held:
    """A classifier that answers once its gate is open, and outlives the server; notes the batches it is given."""

    def __init__(self, classifier: TokenClassifier) -> None:
        self.classifier = classifier
        self.gate = threading.Event()
        self.gate.set()
        self.fault: Exception | None = None
        self.batches: list[list[str]] = []
        self.entered = threading.Semaphore(0)
        self.closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.classifier, name)

    def predict_batch(self, texts: Sequence[str], decoding: Decoding, return_errors: bool) -> Sequence[Answer]:
        self.batches.append(list(texts))
        self.entered.release()
        assert self.gate.wait(SECONDS)
        if self.fault:
            raise self.fault
        return self.classifier.predict_batch(texts, decoding, return_errors=return_errors)

    def close(self) -> None:
        self.closed = True
