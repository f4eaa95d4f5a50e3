"""Brokers that run in a process of their own, a client that asks and listens, and the bridge in this process."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.aio import AsyncTokenClassifier

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin") or shutil.which("mosquitto")
RUN = "from edgener_runtime.cli.main import main; main(prog_name='edgener-runtime')"
HANGING = """
import os, sys, time
from edgener_runtime.pipeline import TokenClassifier
sound = TokenClassifier.predict_batch
def predict_batch(self, texts, *arguments, **options):
    texts = list(texts)
    while any(os.environ["HANGS_AT"] in text for text in texts):
        print("hangs", file=sys.stderr, flush=True)
        if os.environ.get("CRASHES"):
            os.kill(os.getpid(), 9)  # as where memory is out
        time.sleep(600)
    return sound(self, texts, *arguments, **options)
TokenClassifier.predict_batch = predict_batch
"""
TOPICS = ("--requests", "in/#", "--answers", "out/entities", "--dead-letters", "out/dead", "--status", "out/status")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "EDGENER_MQTT_PASSWORD"}
Start = Callable[..., "subprocess.Popen[str]"]
PATIENCE = 600  # seconds until a test gives up: far beyond any load; none waits so long where all is well


def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class RunningBroker:
    """A broker that can be stopped and started again on its port."""

    command: list[str]
    port: int
    protocol: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError(f"no broker on {self.port}: {self.command}")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(PATIENCE)
            self.process = None


def mosquitto_command(folder: Path, port: int, *lines: str) -> list[str]:
    settings = [
        f"listener {port} 127.0.0.1", "persistence true", f"persistence_location {folder}/", "user root",
        "max_queued_messages 0", *(lines or ("allow_anonymous true",)),
    ]  # fmt: skip
    (folder / "mosquitto.conf").write_text("\n".join(settings) + "\n")
    return [str(MOSQUITTO), "-c", str(folder / "mosquitto.conf")]


def amqtt_command(folder: Path, port: int) -> list[str]:
    (folder / "amqtt.yaml").write_text(
        f"listeners: {{default: {{type: tcp, bind: '127.0.0.1:{port}'}}}}\n"
        "plugins: {amqtt.plugins.authentication.AnonymousAuthPlugin: {allow_anonymous: true}}\n"
    )
    return [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(folder / "amqtt.yaml")]


@pytest.fixture
def free_port() -> int:
    """A port that nothing listens on."""
    return unused_port()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Callable[..., RunningBroker]]:
    """`mosquitto("password_file ...")` starts one with these lines of configuration, or with none that lets all in."""
    if not MOSQUITTO:
        pytest.skip("no mosquitto on this machine: apt-get install mosquitto")
    with contextlib.ExitStack() as running:

        def start(*lines: str) -> RunningBroker:
            port = unused_port()
            broker = RunningBroker(mosquitto_command(tmp_path, port, *lines), port, "5")
            broker.start()
            running.callback(broker.stop)
            return broker

        yield start


@pytest.fixture(params=["mosquitto", "mosquitto 3.1.1"])
def keeping_broker(request: pytest.FixtureRequest, mosquitto: Callable[..., RunningBroker]) -> RunningBroker:
    """A broker that keeps what is not acknowledged, over each protocol; amqtt drops that after 5 seconds."""
    running = mosquitto()
    running.protocol = request.param.partition(" ")[2] or "5"
    return running


@pytest.fixture(params=["mosquitto", "mosquitto 3.1.1", "amqtt 3.1.1"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningBroker]:
    """Each broker there is, over each protocol that it speaks."""
    name, _, protocol = request.param.partition(" ")
    if name == "mosquitto" and not MOSQUITTO:
        pytest.skip("no mosquitto on this machine: apt-get install mosquitto")
    if name == "amqtt" and not importlib.util.find_spec("amqtt"):
        pytest.skip("no amqtt in this environment: pip install amqtt")
    port = unused_port()
    command = mosquitto_command(tmp_path, port) if name == "mosquitto" else amqtt_command(tmp_path, port)
    running = RunningBroker(command, port, protocol or "5")
    running.start()
    yield running
    running.stop()


class Peer:
    """A client beside the bridge: publishes requests and keeps what comes on all other topics."""

    def __init__(self, broker: RunningBroker) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        modern = broker.protocol == "5"
        version = MQTTProtocolVersion.MQTTv5 if modern else MQTTProtocolVersion.MQTTv311
        self.messages: queue.Queue[Any] = queue.Queue()
        self.waiting: dict[str, list[Any]] = {}
        self.client = Client(CallbackAPIVersion.VERSION2, "peer", None if modern else False, protocol=version)
        self.client.reconnect_delay_set(1, 1)
        self.client.username_pw_set("peer")
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_message = lambda _client, _data, message: self.messages.put(message)
        if modern:
            self.client.connect("127.0.0.1", broker.port, clean_start=False, properties=_properties("CONNECT", {
                "SessionExpiryInterval": 3600
            }))  # fmt: skip
        else:
            self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        self.client.subscribe([(topic, 1) for topic in ("out/#", "mine")])
        assert subscribed.wait(PATIENCE)

    def ask(self, request: Any, topic: str = "in/text", **properties: Any) -> None:
        payload = request if isinstance(request, bytes) else json.dumps(request).encode()
        self.client.publish(topic, payload, 1, properties=_properties("PUBLISH", properties) if properties else None)

    def message(self, topic: str) -> Any:
        """The next message on a topic."""
        deadline = time.monotonic() + PATIENCE
        while not self.waiting.get(topic):
            message = self.messages.get(timeout=max(0.01, deadline - time.monotonic()))
            self.waiting.setdefault(message.topic, []).append(message)
        return self.waiting[topic].pop(0)

    def record(self, topic: str) -> dict[str, Any]:
        """The JSON object of the next message on a topic."""
        found: dict[str, Any] = json.loads(self.message(topic).payload)
        return found

    def status(self, expected: str) -> None:
        """Wait until the bridge says so."""
        while self.message("out/status").payload.decode() != expected:
            pass

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def _properties(packet: str, values: dict[str, Any]) -> Any:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(getattr(PacketTypes, packet))
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


@pytest.fixture
def peer() -> Iterator[Callable[[RunningBroker], Peer]]:
    """`peer(broker)` is a client of it."""
    peers: list[Peer] = []

    def connect(broker: RunningBroker) -> Peer:
        peers.append(Peer(broker))
        return peers[-1]

    yield connect
    for one in peers:
        one.close()


@dataclass
class RunningBridge:
    """The bridge in a thread: what it reported, and how it ended."""

    reports: list[str] = field(default_factory=list)
    error: BaseException | None = None
    _stop: Callable[[], object] = lambda: None
    _thread: threading.Thread | None = None

    def stop(self) -> None:
        """As SIGTERM does. Raises what ended the bridge."""
        assert self._thread
        self._stop()
        self.join()

    def join(self) -> None:
        assert self._thread
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), self.reports
        if self.error:
            raise self.error

    def begin(self, classifier: TokenClassifier, broker: Any, topics: Any, **settings: Any) -> None:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready, classifier, broker, topics, settings))
        self._thread.start()
        assert ready.wait(PATIENCE)

    def first_report(self) -> str:
        """Wait until it is connected, could not connect, or ended."""
        deadline = time.monotonic() + PATIENCE
        while not self.reports and not self.error:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self.reports[0] if self.reports else ""

    def _run(self, ready: threading.Event, *arguments: Any) -> None:
        try:
            asyncio.run(self._main(ready, *arguments))
        except BaseException as error:  # noqa: BLE001 - `join` raises it
            self.error = error

    async def _main(self, ready: threading.Event, classifier: Any, broker: Any, topics: Any, settings: Any) -> None:
        from edgener_runtime.services.mqtt.answers import Answerer
        from edgener_runtime.services.mqtt.bridge import Backoff, Bridge

        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        ready.set()
        answerer = Answerer(AsyncTokenClassifier(classifier), topics, **settings)
        await Bridge(broker, answerer, self.reports.append, Backoff(0.1, 0.5)).run(stop)


@pytest.fixture
def bridge(classifier: TokenClassifier) -> Iterator[Callable[..., RunningBridge]]:
    """`bridge(broker, window=3, max_bytes=90)` runs one; requests on in/#, all else below out/."""
    running: list[RunningBridge] = []

    def begin(broker: RunningBroker, using: Any = None, **settings: Any) -> RunningBridge:
        from edgener_runtime.services.mqtt.broker import Broker, Topics

        names = {name: settings.pop(name) for name in tuple(settings) if name in Broker.__dataclass_fields__}
        where = Broker(**{"host": "127.0.0.1", "port": broker.port, "client_id": "bridge", "protocol": broker.protocol,
                          **names})  # fmt: skip
        running.append(RunningBridge())
        topics = Topics("in/#", "out/entities", "out/dead", "out/status", settings.pop("responses", ()))
        running[-1].begin(using or classifier, where, topics, **settings)
        running[-1].first_report()
        return running[-1]

    yield begin
    for one in running:
        with contextlib.suppress(Exception):
            one.stop()


@pytest.fixture
def start(bundle: Path) -> Iterator[Start]:
    """`start(broker, "--window", 3)` is the command, connected where nothing speaks against it.

    `hangs_at="..."` is a model that never returns from texts with these letters; `code` runs first in its process.
    """
    processes: list[subprocess.Popen[str]] = []

    def begin(
        broker: Any, *options: object, hangs_at: str = "", bundle: Path = bundle, code: str = "", **environment: str
    ) -> subprocess.Popen[str]:
        where = ("--host", "127.0.0.1", "--port", str(broker.port), "--protocol", broker.protocol)
        name = () if "--client-id" in options else ("--client-id", "bridge")
        code += (HANGING if hangs_at else "") + RUN
        processes.append(subprocess.Popen(
            [sys.executable, "-c", code, "mqtt", str(bundle), *where, *TOPICS, *name, *map(str, options)],
            stderr=subprocess.PIPE, text=True, encoding="utf-8",
            env={**ENVIRONMENT, **environment, "HANGS_AT": hangs_at},
        ))  # fmt: skip
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()
