"""Do hostile messages, a stop and a second bridge stay within their bounds?

    python benchmarks/mqtt_bounds.py BUNDLE --out FILE.json

Starts a mosquitto and `edgener-runtime mqtt`, both in processes of their own: messages nested about as deep as Python
reads JSON, messages far longer than --max-bytes, SIGTERM among long texts, and two bridges with one client id.
"""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from figures import write_figures
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

VERSIONS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
BRIDGE = [sys.executable, "-c", "from edgener_runtime.cli.main import main; main(prog_name='edgener-runtime')", "mqtt"]
PATIENCE = 90  # seconds
LEVELS = range(940, 1010)
LONG, LONG_BYTES = 60, 10_000_000
TEXTS = 40  # of 64 KB, at the stop
TEXT = "oil leak at pump P-101 " * 2800


@dataclass(frozen=True)
class Bounds:
    """Over one protocol: messages without a reply, MB above the idle bridge, seconds, and the exit code of a bridge
    that was displaced (None where two displaced each other until the end)."""

    nested_without_reply: int
    nested_ended_the_bridge: bool
    long_without_reply: int
    long_memory_mb: float
    stop_seconds: float
    second_bridge_exit_code: int | None


class Broker:
    """A mosquitto, and bridges and a client of it."""

    def __init__(self, folder: Path, bundle: Path, protocol: str) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = int(listener.getsockname()[1])
        self._command = [*BRIDGE, str(bundle), "--host", "127.0.0.1", "--port", str(self.port), "--protocol", protocol]
        settings = folder / "mosquitto.conf"
        settings.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\nmax_queued_messages 0\n")
        self._processes = [_start([_mosquitto(), "-c", str(settings)])]
        time.sleep(1)
        self.replies: queue.Queue[MQTTMessage] = queue.Queue()
        self._client = Client(CallbackAPIVersion.VERSION2, "asker", protocol=VERSIONS[protocol])
        self._client.on_message = lambda _client, _data, message: self.replies.put(message)
        self._client.connect("127.0.0.1", self.port)
        self._client.subscribe([("edgener/answers", 1), ("edgener/dead-letters", 1), ("edgener/status", 1)])
        self._client.loop_start()

    def start_bridge(self) -> subprocess.Popen[bytes]:
        """A bridge that is connected."""
        self._processes.append(_start([*self._command, "--client-id", "bounds"]))
        while self.replies.get(timeout=PATIENCE).payload != b"online":
            pass
        return self._processes[-1]

    def ask(self, payloads: Sequence[bytes]) -> None:
        """Publish requests."""
        for payload in payloads:
            self._client.publish("edgener/requests", payload, 1)

    def missing(self, count: int, bridge: subprocess.Popen[bytes]) -> int:
        """How many of `count` messages have no reply when they all could have one, or the bridge has ended."""
        deadline = time.monotonic() + PATIENCE
        while count and time.monotonic() < deadline and (bridge.poll() is None or not self.replies.empty()):
            with contextlib.suppress(queue.Empty):
                count -= self.replies.get(timeout=1).topic != "edgener/status"
        return count

    def stop(self) -> None:
        """End all of it."""
        self._client.disconnect()
        self._client.loop_stop()
        for process in reversed(self._processes):
            process.kill()
            process.wait()


def measure(bundle: Path, protocol: str) -> Bounds:
    """All bounds over one protocol, each with a broker of its own."""
    with _broker(bundle, protocol) as broker:
        bridge = broker.start_bridge()
        nested = [b'{"text": "oil leak", "x": %s}' % (b"[" * levels + b"]" * levels) for levels in LEVELS]
        broker.ask(nested)
        unanswered, ended = broker.missing(len(nested), bridge), bridge.poll() is not None
    with _broker(bundle, protocol) as broker:
        bridge = broker.start_bridge()
        broker.ask([b'{"text": "oil leak"}'])
        broker.missing(1, bridge)
        before = _memory(bridge, "VmRSS")
        broker.ask([b'{"text": "%s"}' % (b"x" * LONG_BYTES)] * LONG)
        long_unanswered, memory = broker.missing(LONG, bridge), _memory(bridge, "VmHWM") - before
    with _broker(bundle, protocol) as broker:
        bridge = broker.start_bridge()
        broker.ask([json.dumps({"text": TEXT, "id": number}).encode() for number in range(TEXTS)])
        broker.missing(1, bridge)
        began = time.monotonic()
        bridge.send_signal(signal.SIGTERM)
        bridge.wait()
        stopped = time.monotonic() - began
    with _broker(bundle, protocol) as broker:
        bridges = [broker.start_bridge() for _ in range(2)]
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not any(bridge.poll() is not None for bridge in bridges):
            time.sleep(0.2)
        codes = [bridge.poll() for bridge in bridges if bridge.poll() is not None]
    return Bounds(unanswered, ended, long_unanswered, round(memory, 1), round(stopped, 1), codes[0] if codes else None)


@contextlib.contextmanager
def _broker(bundle: Path, protocol: str) -> Iterator[Broker]:
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder), bundle, protocol)
        try:
            yield broker
        finally:
            broker.stop()


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _memory(process: subprocess.Popen[bytes], field: str) -> float:
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(f"{field}:"))


def _mosquitto() -> str:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise click.ClickException("no mosquitto on this machine: apt-get install mosquitto")
    return found


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there.")
def main(bundle: Path, out: Path) -> None:
    """Measure the bounds of the bridge over MQTT 5 and 3.1.1."""
    record: dict[str, Any] = {f"mqtt {protocol}": asdict(measure(bundle, protocol)) for protocol in VERSIONS}
    record |= {
        "nested": f"{len(LEVELS)} messages of {LEVELS[0]} to {LEVELS[-1]} levels",
        "long": f"{LONG} messages of {LONG_BYTES} bytes, --max-bytes 65536",
        "stop": f"SIGTERM among {TEXTS} texts of {len(TEXT)} characters",
    }
    write_figures(out, bundle, record)


if __name__ == "__main__":
    main()
