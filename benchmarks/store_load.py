"""Does a request fail while the bundle of a store is activated and rolled back under load?

    python benchmarks/store_load.py BUNDLE --out FILE.json

Three editions of BUNDLE are installed in a store. 64 clients ask `edgener-runtime serve` for one text after the other,
each on its own connection, while its bundle is activated 20 times and rolled back 5 times, each with a SIGHUP. The same
with 64 messages on their way to `edgener-runtime mqtt`, where mosquitto is installed. The exit code is 1 where a
request failed, an answer did not name a bundle of the store, or a service did not end in order.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import click
import httpx
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edgener_runtime import __version__
from edgener_runtime.base.files import write_atomic
from edgener_runtime.bundle.manifest import MANIFEST, MEASURED, read_manifest
from edgener_runtime.bundle.slim import slim
from edgener_runtime.bundle.store.store import Store
from edgener_runtime.machine.cpu import cpu_model, isa, usable_cores

RUNTIME = [sys.executable, "-c", "from edgener_runtime.cli.main import main; main(prog_name='edgener-runtime')"]
HOST, TEXT = "127.0.0.1", "oil leak"
EDITIONS = ("one", "two", "three")
LISTENING = re.compile(r"listening on (http://\S+)")
PATIENCE = 600  # seconds for anything to happen, on a machine however busy


@dataclass(frozen=True)
class Load:
    """How many ask at once, and how often the bundle is switched meanwhile."""

    clients: int = 64
    activations: int = 20
    rollbacks: int = 5


@dataclass(frozen=True)
class Figures:
    """What became of the requests to one service, and its exit code."""

    answers: int
    failed: int
    without_version: int
    answers_by_bundle: dict[str, int]
    seconds: float
    exit_code: int


class Tally:
    """The answers by the version of the bundle that they name, and the requests that failed."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.failed: list[str] = []
        self._lock = threading.Lock()

    def answered(self, version: str) -> None:
        """Count an answer."""
        with self._lock:
            self.answers[version] += 1


class Clients(Protocol):
    """Those who ask a service; what became of it is in `tally`."""

    tally: Tally

    def start(self) -> None:
        """Begin to ask."""

    def end(self) -> None:
        """Wait for the last answers."""


class Service:
    """A service of the runtime in a process of its own, and its log."""

    def __init__(self, *words: object) -> None:
        self.process = subprocess.Popen(
            [*RUNTIME, *map(str, words)], stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, condition: Callable[[], Any]) -> Any:
        """What the condition returns once it is met. Raises ClickException with the log where it is not."""
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            if time.monotonic() > end or self.process.poll() is not None:
                raise click.ClickException(f"the service did not do what was expected:\n{''.join(self.log)}")
            time.sleep(0.02)
        return found

    def reload(self) -> None:
        """SIGHUP, until another bundle is in use."""
        before = self._reloads()
        self.process.send_signal(signal.SIGHUP)
        self.wait_for(lambda: self._reloads() > before)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def _reloads(self) -> int:
        return sum("reloaded: " in line for line in self.log)

    def _read(self) -> None:
        assert self.process.stderr
        with self.process.stderr as lines:
            self.log.extend(lines)


class HttpClients:
    """Clients of the server, each with a connection of its own."""

    def __init__(self, url: str, count: int) -> None:
        self.tally = Tally()
        self._url = f"{url}/predict"
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Wait for the last answers."""
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _ask(self) -> None:
        with httpx.Client(timeout=PATIENCE) as client:
            while not self._ended.is_set():
                try:
                    answer = client.post(self._url, json={"text": TEXT})
                except httpx.HTTPError as error:
                    self.tally.failed.append(repr(error))
                    continue
                if answer.status_code == httpx.codes.OK:
                    self.tally.answered(answer.headers.get("edgener-bundle-version", ""))
                else:
                    self.tally.failed.append(answer.text)


class MqttClients:
    """One client of a broker with so many messages on their way."""

    def __init__(self, port: int, count: int) -> None:
        self.tally = Tally()
        self.online = threading.Event()
        self._count = count
        self._ended = threading.Event()
        self._last = threading.Semaphore(0)  # answers after which no message was sent
        self._client = Client(CallbackAPIVersion.VERSION2, "load")
        self._client.on_message = lambda _client, _data, message: self._receive(message)
        self._client.connect(HOST, port)
        self._client.subscribe([(f"edgener/{topic}", 1) for topic in ("answers", "dead-letters", "status")])
        self._client.loop_start()

    def start(self) -> None:
        """Begin to ask."""
        for _ in range(self._count):
            self._ask()

    def end(self) -> None:
        """Wait for the last answers; those that do not come have failed."""
        self._ended.set()
        for _ in range(self._count):
            if not self._last.acquire(timeout=PATIENCE):
                self.tally.failed.append("no answer")

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _ask(self) -> None:
        self._client.publish("edgener/requests", json.dumps({"text": TEXT}), 1)

    def _receive(self, message: MQTTMessage) -> None:
        if message.topic == "edgener/status":
            self.online.set()
            return
        if message.topic == "edgener/answers":
            self.tally.answered(json.loads(message.payload).get("bundle_version", ""))
        else:
            self.tally.failed.append(message.payload.decode())
        if self._ended.is_set():
            self._last.release()
        else:
            self._ask()


def measure(bundle: Path, folder: Path, load: Load = Load()) -> dict[str, Figures]:
    """The figures of `serve`, and of `mqtt` where there is a broker; `folder` is empty."""
    store = Store(folder / "store", trial=0)
    versions = {name: store.install(_edition(bundle, folder / name)).version for name in EDITIONS}
    with _service("serve", store.active, "--port", 0) as server:
        url = server.wait_for(
            lambda: next((found[1] for line in server.log if (found := LISTENING.search(line))), None)
        )
        found = {"serve": _switch(store, versions, server, HttpClients(url, load.clients), load)}
    if mosquitto := shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"):
        with (
            _broker(mosquitto, folder) as port,
            _mqtt_clients(port, load.clients) as clients,
            _service("mqtt", store.active, "--host", HOST, "--port", port, "--client-id", "bridge") as bridge,
        ):
            bridge.wait_for(clients.online.is_set)
            found["mqtt"] = _switch(store, versions, bridge, clients, load)
    return found


def is_broken(figures: Figures) -> bool:
    """Whether a request failed, an answer named no bundle of the store, or the service did not end in order."""
    return bool(figures.failed or figures.without_version or figures.exit_code or not figures.answers)


def _switch(store: Store, versions: dict[str, str], service: Service, clients: Clients, load: Load) -> Figures:
    """Switch the bundle under load; after each switch, answers must come from the bundle that is active then."""
    began, tally = time.monotonic(), clients.tally

    def reload(version: str) -> None:
        before = tally.answers[version]
        service.reload()
        service.wait_for(lambda: tally.answers[version] > before)

    clients.start()
    for name in itertools.islice(itertools.cycle(EDITIONS), load.activations):
        store.activate(versions[name])
        reload(versions[name])
    for number in range(load.rollbacks):
        store.activate(versions[EDITIONS[0]])
        reload(versions[EDITIONS[0]])
        reload(store.rollback(f"forced {number}").version)
    clients.end()
    named = {name: tally.answers[version] for name, version in versions.items()}
    unnamed = tally.answers.total() - sum(named.values())
    seconds = round(time.monotonic() - began, 1)
    return Figures(tally.answers.total(), len(tally.failed), unnamed, named, seconds, service.stop())


def _edition(bundle: Path, folder: Path) -> Path:
    """The fastest variant of the bundle under another name, and so of another version."""
    slim(bundle, read_manifest(bundle).variants[0].name, folder)
    record = json.loads((folder / MANIFEST).read_text(encoding="utf-8")) | {"name": folder.name}
    if record.pop("measured", None):  # speeds of the manifest as it was
        (folder / MEASURED).unlink()
    (folder / MANIFEST).write_text(json.dumps(record), encoding="utf-8")
    return folder


@contextmanager
def _service(*words: object) -> Iterator[Service]:
    service = Service(*words)
    try:
        yield service
    finally:
        service.kill()


@contextmanager
def _mqtt_clients(port: int, count: int) -> Iterator[MqttClients]:
    clients = MqttClients(port, count)
    try:
        yield clients
    finally:
        clients.close()


@contextmanager
def _broker(mosquitto: str, folder: Path) -> Iterator[int]:
    """A broker on a free port."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port = int(listener.getsockname()[1])
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} {HOST}\nallow_anonymous true\nuser root\nmax_queued_messages 0\n")
    process = subprocess.Popen([mosquitto, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_open(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait_until_open(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise click.ClickException(f"the broker does not listen on {port}")


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there.")
def main(bundle: Path, out: Path) -> None:
    """Activate and roll back bundles under load."""
    busy, load = os.getloadavg()[0], Load()
    with tempfile.TemporaryDirectory(prefix="edgener-store-load-") as folder:
        found = measure(bundle, Path(folder), load)
    record = {
        "machine": {
            "cpu": cpu_model(),
            "isa": isa(),
            "cores": usable_cores(),
            "python": platform.python_version(),
            "load_average_before": busy,
        },
        "edgener_runtime": __version__,
        "bundle": bundle.name,
        **asdict(load),
        **{name: asdict(figures) for name, figures in found.items()},
    }
    write_atomic(out, json.dumps(record, indent=2) + "\n")
    click.echo(json.dumps(record, indent=2))
    sys.exit(1 if any(map(is_broken, found.values())) else 0)


if __name__ == "__main__":
    main()
