"""Does every message get its answer while the broker is restarted and the bridge is killed?

    python benchmarks/mqtt_chaos.py BUNDLE --data SOURCE --out FILE.json

Starts a mosquitto with persistence and `edgener-runtime mqtt`, both in processes of their own, publishes texts as they
come from the data set, and harms both at the shares of answers that HARM names. The exit code is 1 where a message has
no answer, or one that is not its own: another text, key or entities than the model has for it alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import click
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edgener.cli.options import data_options
from edgener.data.read import SPLITS, DataSpec, read_splits
from edgener_runtime import TokenClassifier, __version__
from edgener_runtime.base.files import write_atomic
from edgener_runtime.services.mqtt.messages import IncomingMessage

HARM = ((0.2, "broker restarted"), (0.4, "bridge killed"), (0.6, "broker restarted"), (0.8, "bridge killed"))
REQUESTS, ANSWERS, DEAD_LETTERS = "chaos/requests", "chaos/answers", "chaos/dead-letters"
PATIENCE = 60  # seconds without an answer until the rest counts as lost
LATECOMERS = 3  # seconds to wait for second answers once each message has one
BRIDGE = [sys.executable, "-c", "from edgener_runtime.cli.main import main; main(prog_name='edgener-runtime')", "mqtt"]


@dataclass(frozen=True)
class Tally:
    """What came of the messages; `second_answers` may be some, as delivery is at least once."""

    messages: int
    unanswered: int
    wrong: int
    second_answers: int
    dead_letters: int


@dataclass
class Machines:
    """The broker and the bridge, each in a process of its own that can be harmed."""

    folder: Path
    bundle: Path
    variant: str
    port: int = field(default_factory=lambda: _free_port())
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start_broker(self) -> None:
        """A mosquitto that keeps sessions over a restart, and as many messages as there are."""
        settings = self.folder / "mosquitto.conf"
        settings.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n"
            f"persistence_location {self.folder}/\nmax_queued_messages 0\n"
        )
        self._start("broker", [_mosquitto(), "-c", str(settings)])

    def start_bridge(self) -> None:
        """The bridge with answers that do not depend on the texts beside them."""
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--client-id", "chaos", "--status", "chaos/status"]
        topics = ["--requests", REQUESTS, "--answers", ANSWERS, "--dead-letters", DEAD_LETTERS]
        how = ["--reproducible", "--device", "cpu", "--variant", self.variant]
        self._start("bridge", [*BRIDGE, str(self.bundle), *where, *topics, *how])

    def harm(self, what: str) -> None:
        """Restart the broker, or kill -9 the bridge and start it again."""
        if what == "broker restarted":
            self._running["broker"].terminate()
            self._running["broker"].wait()
            self.start_broker()
        else:
            self._running["bridge"].kill()
            self._running["bridge"].wait()
            self.start_bridge()

    def stop(self) -> None:
        """End both."""
        for process in self._running.values():
            process.terminate()
            process.wait()

    def _start(self, name: str, command: Sequence[str]) -> None:
        self._running[name] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Asker:
    """Publishes the requests and collects what comes back, over the broker's restarts."""

    def __init__(self, port: int) -> None:
        self.came: queue.Queue[MQTTMessage] = queue.Queue()
        self._client = Client(CallbackAPIVersion.VERSION2, "asker", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 2)
        self._client.on_message = lambda _client, _data, message: self.came.put(message)
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 3600
        _until_listening(port)
        self._client.connect("127.0.0.1", port, clean_start=False, properties=session)
        self._client.subscribe([(ANSWERS, 1), (DEAD_LETTERS, 1)])
        self._client.subscribe([("chaos/status", 1)])
        self._client.loop_start()

    def wait_for_bridge(self) -> None:
        """Until it says that it is online: before, nothing keeps messages for it."""
        while self.came.get(timeout=PATIENCE).payload != b"online":
            pass

    def ask(self, payloads: Iterable[bytes]) -> None:
        """Publish all; the client keeps what the broker has not confirmed, and sends it again."""
        for payload in payloads:
            self._client.publish(REQUESTS, payload, 1)

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()


def collect(asker: Asker, machines: Machines, messages: int) -> list[MQTTMessage]:
    """All that came back until each message had an answer and latecomers had their time, or nothing came any more."""
    came: list[MQTTMessage] = []
    answered: set[int] = set()
    harm = list(HARM)
    with contextlib.suppress(queue.Empty):
        while True:
            message = asker.came.get(timeout=PATIENCE if len(answered) < messages else LATECOMERS)
            came.append(message)
            if message.topic == ANSWERS:
                answered.add(json.loads(message.payload)["id"])
            if harm and len(answered) >= harm[0][0] * messages:
                machines.harm(harm.pop(0)[1])
    return came


def judge(payloads: Sequence[bytes], expected: Sequence[Any], came: Iterable[MQTTMessage]) -> Tally:
    """Count the answers against what each message should have been answered."""
    counts: Counter[int] = Counter()
    wrong = dead = 0
    for message in came:
        if message.topic == DEAD_LETTERS:
            dead += 1
        elif message.topic == ANSWERS:
            answer = json.loads(message.payload)
            counts[answer["id"]] += 1
            wrong += not _is_own(answer, payloads[answer["id"]], expected[answer["id"]])
    unanswered = sum(counts[number] == 0 for number in range(len(payloads)))
    return Tally(len(payloads), unanswered, wrong, counts.total() - len(counts), dead)


def _is_own(answer: dict[str, Any], payload: bytes, expected: Any) -> bool:
    """Whether an answer has its request's fields and key, and the entities that the model finds in its text."""
    found = [(entity["label"], entity["start"], entity["end"], entity["text"]) for entity in answer.pop("entities")]
    key = answer.pop("key")
    del answer["bundle_version"]
    return bool(answer == json.loads(payload) and key == IncomingMessage(REQUESTS, payload).key and found == expected)


def run_chaos(bundle: Path, variant: str, texts: Sequence[str]) -> tuple[Tally, dict[str, Any]]:
    """Ask for all texts while broker and bridge are harmed. Returns the tally, and what it was measured on."""
    payloads = [json.dumps({"id": number, "text": text}).encode() for number, text in enumerate(texts)]
    with TokenClassifier.load(bundle, "cpu", variant, reproducible=True) as classifier:
        expected = [
            [(one.label, one.start, one.end, one.text) for one in entities]
            for entities in classifier.predict_batch(texts)
        ]
        ran = classifier.variant.name
    began = time.monotonic()
    with _machines(bundle, ran) as machines:
        asker = Asker(machines.port)
        machines.start_bridge()
        asker.wait_for_bridge()
        asker.ask(payloads)
        came = collect(asker, machines, len(texts))
        asker.close()
    facts = {
        "variant": ran,
        "different_texts": len(set(texts)),
        "different_answers": len(set(map(str, expected))),
        "seconds": round(time.monotonic() - began),
    }
    return judge(payloads, expected, came), facts


@contextlib.contextmanager
def _machines(bundle: Path, variant: str) -> Iterator[Machines]:
    with tempfile.TemporaryDirectory() as folder:
        machines = Machines(Path(folder), bundle, variant)
        try:
            machines.start_broker()
            yield machines
        finally:
            machines.stop()


def _mosquitto() -> str:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise click.ClickException("no mosquitto on this machine: apt-get install mosquitto")
    return found


def _mosquitto_version() -> str:
    return subprocess.run([_mosquitto(), "-h"], capture_output=True, text=True, check=False).stdout.partition("\n")[0]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _until_listening(port: int) -> None:
    for _ in range(PATIENCE * 10):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise click.ClickException(f"mosquitto does not listen on port {port}")


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@data_options
@click.option("--variant", default="auto", show_default=True, help="Variant of the bundle.")
@click.option("--messages", type=click.IntRange(10), default=10_000, show_default=True, help="Messages to ask for.")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there.")
def main(bundle: Path, data: DataSpec, variant: str, messages: int, out: Path) -> None:
    """Ask for the entities of the data set's first texts, whatever their split, while broker and bridge are harmed."""
    splits = read_splits(data)
    texts = [sentence.text for name in (*SPLITS, "all") if name in splits for sentence in splits[name].sentences]
    distinct = list(islice(dict.fromkeys(texts), messages))
    asked = [distinct[number % len(distinct)] for number in range(messages)]
    tally, facts = run_chaos(bundle, variant, asked)
    record = {
        **dataclasses.asdict(tally),
        "harm": [f"{what} at {share:.0%} of the answers" for share, what in HARM],
        **facts,
        "bundle": bundle.name,
        "data": Path(data.source).name,
        "broker": _mosquitto_version(),
        "edgener_runtime": __version__,
    }
    write_atomic(out, json.dumps(record, indent=2) + "\n")
    click.echo(json.dumps(record, indent=2))
    sys.exit(bool(tally.unanswered or tally.wrong or tally.dead_letters))


if __name__ == "__main__":
    main()
