"""`edgener-runtime serve`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgener_runtime.base.install import install_line
from edgener_runtime.cli.monitoring import Monitoring, monitoring_options
from edgener_runtime.cli.options import FiniteRange, RenamedOption, loading_options, selftest_option
from edgener_runtime.errors import DeviceError, UserInputError
from edgener_runtime.services.http.limits import ConnectionLimits, Limits

if TYPE_CHECKING:
    from edgener_runtime.pipeline import TokenClassifier
    from edgener_runtime.services.http.models.source import ModelSource

_DEFAULT = Limits()
_CONNECTIONS = ConnectionLimits()
_FILE = click.Path(path_type=Path)
_EXAMPLE = "edgener-runtime serve out/bundle, or serve --model people=out/a --model parts=out/b"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,99}")  # stands in a URL as it is, and is one part of a path


class NamedBundle(click.ParamType):  # type: ignore[type-arg]  # not generic in older versions
    """NAME=BUNDLE, with a name that stands in a URL as it is."""

    name = "NAME=BUNDLE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        """The name and the folder. Raises UsageError where either is missing, or the name needs escapes in a URL."""
        name, _, bundle = str(value).partition("=")
        if not name or not bundle:
            self.fail(f"{value!r}, expected NAME=BUNDLE, for example people=out/a", param, ctx)
        if not _NAME.fullmatch(name):
            allowed = "at most 100 of the letters A to Z, digits, and . _ ~ -, beginning with a letter or digit"
            self.fail(f"the name {name!r} does not fit a URL, expected {allowed}", param, ctx)
        return name, Path(bundle)


@click.command()
@click.argument("bundle", type=_FILE, required=False)
@click.option(
    "--model", "models", type=NamedBundle(), multiple=True, metavar="NAME=BUNDLE",
    help="A bundle and the name to serve it under, in place of BUNDLE; repeatable.",
)  # fmt: skip
@click.option("--model-control", is_flag=True, help="Let clients load and unload these models.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0 for a free one.")
@click.option("--token-file", type=_FILE, help="File with the required bearer token [default: EDGENER_TOKEN, or none].")
@click.option("--tls-certificate", type=_FILE, help="Certificate as a PEM file, with --tls-key.")
@click.option("--tls-key", type=_FILE, help="Key as a PEM file without a password.")
@click.option(
    "--max-bytes", cls=RenamedOption, old={"--max-body": {}}, type=click.IntRange(1), default=_DEFAULT.body,
    show_default=True, help="Longest accepted request.",
)  # fmt: skip
@click.option(
    "--max-text",
    type=click.IntRange(1),
    default=_DEFAULT.text,
    show_default=True,
    help="Characters of the longest text.",
)
@click.option(
    "--queue", type=click.IntRange(1), default=_DEFAULT.queue, show_default=True, help="Most pending texts of a model."
)
@click.option(
    "--timeout",
    type=FiniteRange(0.001),
    default=_DEFAULT.seconds,
    show_default=True,
    help="Seconds for an answer.",
)
@click.option(
    "--drain",
    type=FiniteRange(0),
    default=1,
    show_default=True,
    help="Seconds to continue after SIGTERM, not ready.",
)
@click.option(
    "--body-memory", type=click.IntRange(1), default=_DEFAULT.bodies, show_default=True,
    help="Bytes of all requests in progress.",
)  # fmt: skip
@click.option(
    "--body-rate", type=click.IntRange(0), default=_DEFAULT.rate, show_default=True,
    help="Fewest bytes per second of a body.",
)  # fmt: skip
@click.option(
    "--max-connections", type=click.IntRange(1), default=_CONNECTIONS.most, show_default=True,
    help="Most open connections.",
)  # fmt: skip
@click.option(
    "--header-timeout", type=FiniteRange(0.1), default=_CONNECTIONS.header, show_default=True,
    help="Seconds for the header of a request.",
)  # fmt: skip
@click.option(
    "--idle-timeout", type=FiniteRange(0.1), default=_CONNECTIONS.idle, show_default=True,
    help="Seconds between two requests of a connection.",
)  # fmt: skip
@click.option(
    "--overdue", type=FiniteRange(0.1), default=_DEFAULT.overdue, show_default=True,
    help="Seconds for a batch; after twice as many the server ends, exit code 7, unless other models answer.",
)  # fmt: skip
@selftest_option
@monitoring_options
@loading_options
def serve(
    bundle: Path | None, models: tuple[tuple[str, Path], ...], model_control: bool,
    host: str, port: int, token_file: Path | None, tls_certificate: Path | None, tls_key: Path | None,
    max_bytes: int, max_text: int, queue: int, timeout: float, drain: float, body_memory: int, body_rate: int,
    max_connections: int, header_timeout: float, idle_timeout: float, overdue: float,
    selftest_every: float | None, monitoring: Monitoring, load: Callable[[Path], TokenClassifier],
) -> None:  # fmt: skip
    """Answer HTTP requests with the entities of their texts.

    Several models, each under a name, answer beside each other: each has its own queue, limits and watchdog.
    SIGTERM and Ctrl-C stop the server after the accepted requests, a second signal at once. SIGHUP loads a changed
    bundle without a gap.

    \b
    Examples:
      edgener-runtime serve out/bundle
      edgener-runtime serve --model people=out/a --model parts=out/b
      edgener-runtime serve out/bundle --host 0.0.0.0 --token-file token --tls-certificate cert.pem --tls-key key.pem
      curl -s localhost:8080/predict --json '{"text": "Pump P-101 leaks at the seal"}'
    """
    bundles = _bundles(bundle, models)
    if (tls_certificate is None) != (tls_key is None):
        raise click.UsageError("give --tls-certificate and --tls-key together")
    if body_memory < max_bytes:
        raise click.UsageError(f"--body-memory must hold the longest request: at least {max_bytes}")
    try:
        from edgener_runtime.services.http.auth import read_token
        from edgener_runtime.services.http.connections.bind import TlsFiles, open_listener
        from edgener_runtime.services.http.server import ServerSettings, run_server
    except ImportError as error:
        raise DeviceError(f"the server's libraries cannot be loaded: {error}", install_line("serve")) from None
    token = read_token(token_file)
    tls = TlsFiles(tls_certificate, tls_key) if tls_certificate and tls_key else None
    with open_listener(host, port, token, tls) as listener:
        limits = Limits(max_bytes, max_text, queue, timeout, body_memory, body_rate, overdue)
        connections = ConnectionLimits(max_connections, header_timeout, idle_timeout)
        sources = [_source(monitoring.loading(load, name), name, folder, selftest_every) for name, folder in bundles]
        run_server(sources, ServerSettings(limits, connections, listener, token, drain, model_control))


def _source(
    load: Callable[[Path], TokenClassifier], name: str | None, folder: Path, selftest_hours: float | None
) -> ModelSource:
    """What loads a bundle, with a selftest unless that is None; a bundle of a store is on trial at first."""
    import logging

    from edgener_runtime.golden import checked
    from edgener_runtime.services.http.models.source import ModelSource
    from edgener_runtime.services.trial import BundleTrial

    trial = BundleTrial.of(folder, logging.getLogger(__name__).info)
    loading = load if selftest_hours is None else checked(load)
    return ModelSource(partial(trial.load, loading, folder), name, trial, selftest_hours or 0)


def _bundles(bundle: Path | None, models: tuple[tuple[str, Path], ...]) -> list[tuple[str | None, Path]]:
    """The folders to serve with their names, if given. Raises UserInputError for none, or a name twice."""
    if bundle and models:
        raise UserInputError("both a BUNDLE and --model", f"Give it a name too: --model NAME={bundle}.")
    if not bundle and not models:
        raise UserInputError("no bundle to serve", f"Give one: {_EXAMPLE}")
    for name, count in Counter(name for name, _ in models).items():
        if count > 1:
            raise UserInputError(f"--model {name}= is given {count} times", "Give each model a name of its own.")
    return [(None, bundle)] if bundle else list(models)
