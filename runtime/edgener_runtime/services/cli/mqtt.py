"""`edgener-runtime mqtt`."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener_runtime.base.install import install_line
from edgener_runtime.cli.options import decoding_options, loading_options
from edgener_runtime.decoding.entity import Decoding
from edgener_runtime.errors import DeviceError, UserInputError

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier
    from edgener_runtime.services.mqtt.broker import Broker, Topics

PASSWORD = "EDGENER_MQTT_PASSWORD"


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
    "--status", default="edgener/status", show_default=True, help="Topic of the retained status, online or offline."
)
@click.option("--client-id", default="edgener", show_default=True, help="Name of the session that the broker keeps.")
@click.option("--protocol", type=click.Choice(["5", "3.1.1"]), default="5", show_default=True, help="MQTT version.")
@click.option("--username", help=f"User name; the password is in --password-file or ${PASSWORD}.")
@click.option("--password-file", type=click.Path(path_type=Path), help="File with the password.")
@click.option("--tls", is_flag=True, help="Encrypt and verify the broker's certificate.")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Certificate authorities in place of the system's.")
@click.option(
    "--window", type=click.IntRange(1, 65535), default=256, show_default=True, help="Most unacknowledged messages."
)
@click.option("--max-bytes", type=click.IntRange(1), default=65536, show_default=True, help="Longest accepted message.")
@decoding_options
@loading_options
def mqtt(
    bundle: Path, host: str, port: int | None, requests: str, answers: str, dead_letters: str, status: str,
    client_id: str, protocol: str, username: str | None, password_file: Path | None, tls: bool, ca_file: Path | None,
    window: int, max_bytes: int, decoding: Decoding, load: Callable[[Path], TokenClassifier],
) -> None:  # fmt: skip
    """Answer texts of an MQTT topic on another topic.

    A request is a JSON object with a string `text`; its answer has the same fields and `entities`. A message without an
    answer goes to the dead letters with the reason. A message is acknowledged after the broker has confirmed its
    answer. SIGTERM and Ctrl-C end the bridge after the messages in progress.

    \b
    Examples:
      edgener-runtime mqtt out/bundle --host broker.local --requests orders/text --answers orders/entities
      edgener-runtime mqtt out/bundle --tls --username plant7 --password-file /run/secrets/mqtt --offsets utf8
    """
    if importlib.util.find_spec("paho") is None:
        raise DeviceError("the MQTT client paho-mqtt is not installed", install_line("mqtt"))
    import asyncio

    from edgener_runtime.services.mqtt.broker import Broker, Topics, tls_context

    topics = Topics(requests, answers, dead_letters, status)
    if ca_file and not tls:
        raise UserInputError("--ca-file without --tls would not be used", "Give --tls.")
    broker = Broker(
        host, port or (8883 if tls else 1883), client_id, protocol, username, _password(password_file),
        tls_context(ca_file) if tls else None, window,
    )  # fmt: skip
    asyncio.run(_answer(load(bundle), broker, topics, decoding, max_bytes))


async def _answer(
    classifier: TokenClassifier, broker: Broker, topics: Topics, decoding: Decoding, max_bytes: int
) -> None:
    import asyncio

    from edgener_runtime.aio import AsyncTokenClassifier
    from edgener_runtime.services.mqtt.answers import Answerer
    from edgener_runtime.services.mqtt.bridge import Bridge

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncTokenClassifier(classifier) as waiting:
        answerer = Answerer(waiting, topics, decoding, max_bytes)
        await Bridge(broker, answerer, _report).run(stop)
    _report("stopped: messages in progress are answered, the rest waits with the broker")


def _password(file: Path | None) -> str | None:
    from edgener_runtime.services.mqtt.broker import read_password

    return read_password(file) if file else os.environ.get(PASSWORD)


def _report(line: str) -> None:
    click.echo(line, err=True)
