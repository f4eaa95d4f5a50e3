"""`edgener-runtime mqtt`."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener_runtime.base.install import install_line
from edgener_runtime.cli.monitoring import Monitoring, monitoring_options
from edgener_runtime.cli.options import FiniteRange, decoding_options, loading_options, selftest_option
from edgener_runtime.decoding.entity import Decoding
from edgener_runtime.errors import DeviceError, UserInputError

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier
    from edgener_runtime.services.mqtt.broker import Broker, Topics
    from edgener_runtime.services.trial import BundleTrial

PASSWORD = "EDGENER_MQTT_PASSWORD"  # noqa: S105 - its variable


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--host", default="localhost", show_default=True, help="The broker's host.")
@click.option("--port", type=click.IntRange(1, 65535), help="The broker's port [default: 1883, or 8883 with TLS].")
@click.option("--requests", default="edgener/requests", show_default=True, help="Topic or filter to read.")
@click.option("--answers", default="edgener/answers", show_default=True, help="Topic of the answers.")
@click.option(
    "--dead-letters", default="edgener/dead-letters", show_default=True, help="Topic of messages without an answer."
)
@click.option(
    "--status", default="edgener/status", show_default=True,
    help="Topic of the retained status: online, overdue, selftest-failed, offline.",
)  # fmt: skip
@click.option(
    "--response-topics", multiple=True, metavar="FILTER",
    help="Allowed response topics; repeatable [default: all but the bridge's own].",
)  # fmt: skip
@click.option("--client-id", help="Name of the session that the broker keeps [default: by host and bundle].")
@click.option("--protocol", type=click.Choice(["5", "3.1.1"]), default="5", show_default=True, help="MQTT version.")
@click.option("--username", help=f"User name; the password is in --password-file or ${PASSWORD}.")
@click.option("--password-file", type=click.Path(path_type=Path), help="File with the password.")
@click.option("--tls", is_flag=True, help="Encrypt and verify the broker's certificate.")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Certificate authorities in place of the system's.")
@click.option(
    "--window", type=click.IntRange(1, 65535), default=256, show_default=True, help="Most unacknowledged messages."
)
@click.option("--max-bytes", type=click.IntRange(1), default=65536, show_default=True, help="Longest accepted message.")
@click.option(
    "--overdue", type=FiniteRange(0.1), default=60, show_default=True,
    help="Seconds for a batch; after twice as many the bridge ends, exit code 7.",
)  # fmt: skip
@click.option(
    "--stop-within", type=FiniteRange(0), default=30, show_default=True,
    help="Most seconds for messages in progress after SIGTERM.",
)  # fmt: skip
@selftest_option
@monitoring_options
@decoding_options
@loading_options
def mqtt(
    bundle: Path, host: str, port: int | None, requests: str, answers: str, dead_letters: str, status: str,
    response_topics: tuple[str, ...], client_id: str | None, protocol: str, username: str | None,
    password_file: Path | None, tls: bool, ca_file: Path | None, window: int, max_bytes: int, overdue: float,
    stop_within: float, selftest_every: float | None, monitoring: Monitoring, decoding: Decoding,
    load: Callable[[Path], TokenClassifier],
) -> None:  # fmt: skip
    """Answer texts of an MQTT topic on another topic.

    A request is a JSON object with a string `text`; its answer has the same fields and `entities`. A message without an
    answer goes to the dead letters with the reason. A message is acknowledged after the broker has confirmed its
    answer. SIGTERM and Ctrl-C end the bridge after the messages in progress, a second signal at once. SIGHUP loads the
    bundle again.

    \b
    Examples:
      edgener-runtime mqtt out/bundle --host broker.local --requests orders/text --answers orders/entities
      edgener-runtime mqtt out/bundle --tls --username plant7 --password-file /run/secrets/mqtt --offsets utf8
    """
    if importlib.util.find_spec("paho") is None:
        raise DeviceError("the MQTT client paho-mqtt is not installed", install_line("mqtt"))
    import asyncio

    from edgener_runtime.golden import checked
    from edgener_runtime.services.mqtt.broker import Broker, Topics, default_client_id, tls_context
    from edgener_runtime.services.trial import BundleTrial
    from edgener_runtime.services.watchdog import end_despite_runs

    topics = Topics(requests, answers, dead_letters, status, response_topics)
    if ca_file and not tls:
        raise UserInputError("--ca-file without --tls would not be used", "Give --tls.")
    name = default_client_id(bundle) if client_id is None else client_id
    broker = Broker(
        host, port or (8883 if tls else 1883), name, protocol, username, _password(password_file),
        tls_context(ca_file) if tls else None, window,
    )  # fmt: skip
    trial = BundleTrial.of(bundle, _report)
    checking = load if selftest_every is None else checked(load)
    loading = partial(trial.load, monitoring.loading(checking), bundle)
    hours = selftest_every or 0
    asyncio.run(_Service(loading, trial, broker, topics, decoding, max_bytes, overdue, stop_within, hours).run())
    end_despite_runs()


@dataclass(frozen=True)
class _Service:
    """What runs: the bridge, a watchdog for its classifier, and the signals."""

    load: Callable[[], TokenClassifier]
    trial: BundleTrial
    broker: Broker
    topics: Topics
    decoding: Decoding
    max_bytes: int
    overdue: float
    stop_within: float
    selftest_hours: float

    async def run(self) -> None:
        """Answer until a signal comes."""
        import asyncio

        from edgener_runtime.aio import AsyncTokenClassifier
        from edgener_runtime.services.mqtt.answers import Answerer
        from edgener_runtime.services.mqtt.bridge import Bridge
        from edgener_runtime.services.reload import Hangup, Reload
        from edgener_runtime.services.selftest import RegularSelftest
        from edgener_runtime.services.stop_signals import StopSignals
        from edgener_runtime.services.watchdog import Watchdog

        def watch(classifier: AsyncTokenClassifier) -> asyncio.Task[None]:
            async def farewell() -> None:
                self.trial.gave_up(classifier.classifier.manifest.version, "the watchdog: its model hangs")
                await bridge.give_up()

            return asyncio.create_task(Watchdog(classifier, _report, self.overdue, bridge.set_overdue, farewell).run())

        async def use(fresh: AsyncTokenClassifier) -> None:
            old, answerer.classifier = answerer.classifier, fresh
            bridge.set_selftest_fault(None)  # it has passed
            watching.append(watch(fresh))
            await old.close()
            watching.pop(0).cancel()

        stop = asyncio.Event()
        classifier = AsyncTokenClassifier(self.load())
        answerer = Answerer(classifier, self.topics, self.decoding, self.max_bytes, self.trial)
        bridge = Bridge(self.broker, answerer, _report)
        StopSignals(stop, self.stop_within, bridge.in_progress, _report).install()
        reload = Reload(self.load, use, _report, self.overdue, self.decoding, self.trial.gave_up)
        hangup = Hangup(reload.at_hangup)
        hangup.install()
        self.trial.reload = hangup.request
        watching = [watch(answerer.classifier)]
        regular = RegularSelftest(
            self.selftest_hours, lambda: answerer.classifier, self.trial, _report, bridge.set_selftest_fault
        )
        testing = asyncio.create_task(regular.run())
        try:
            await bridge.run(stop)
        finally:
            await answerer.classifier.close()
            for task in (testing, *watching):
                task.cancel()
        self.trial.close()
        _report("stopped: messages in progress are answered, the rest waits with the broker")


def _password(file: Path | None) -> str | None:
    from edgener_runtime.services.mqtt.broker import read_password

    return read_password(file) if file else os.environ.get(PASSWORD)


def _report(line: str) -> None:
    with contextlib.suppress(OSError):  # a log on a full disk, or one that nobody reads any more, stops no answers
        click.echo(line, err=True)
