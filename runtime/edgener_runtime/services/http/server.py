"""The server process: it listens and logs it, and stops after all accepted requests are answered."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

import uvicorn

from edgener_runtime.errors import EdgenerError
from edgener_runtime.services.log_limit import LimitedHandler
from edgener_runtime.services.reload import Hangup
from edgener_runtime.services.stop_signals import StopSignals
from edgener_runtime.services.systemd import KEEP_ALIVE, READY, notify
from edgener_runtime.services.watchdog import end_despite_runs

from .app import create_app
from .connections.acceptor import Acceptor
from .connections.bind import Listener
from .connections.protocol import HttpConnection
from .connections.table import ConnectionTable
from .limits import ConnectionLimits, Limits
from .models.served import ServedModel
from .models.source import ModelSource
from .service import Service

_log = logging.getLogger(__name__)
_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_SPARE = 5  # seconds beyond the longest answer before the stop aborts connections
_LAST_REQUESTS = 2  # most seconds in which idle connections may still send a request after the server stops listening
_POLL = 0.05  # seconds between two checks for idle connections
_TICK = 1.0  # seconds between two checks for connections that take too long


class Server(uvicorn.Server):
    """uvicorn that accepts connections by itself, and goes on for a while, not ready, once it is to stop."""

    def __init__(self, config: uvicorn.Config, service: Service, table: ConnectionTable, url: str) -> None:
        super().__init__(config)
        self.service = service
        self.table = table
        self.url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen and log the address."""
        await super().startup([])
        self.acceptor = Acceptor(sockets or [], self.table, self._connection, self.config.ssl)
        self.acceptor.start()
        _log.info("listening on %s with %s", self.url, "; ".join(model.summary for model in self.service.models))
        notify(READY)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, and answer the requests of open ones.

        uvicorn alone drops a request that an open connection has sent and uvicorn has not read yet.
        """
        self.acceptor.stop()
        for _ in range(round(_LAST_REQUESTS / _POLL)):
            await asyncio.sleep(_POLL)
            if not self.table.has_idle:
                break
        self.table.abort_unopened()
        await super().shutdown([])

    def _connection(self) -> HttpConnection:
        return HttpConnection(
            self.table, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave the signals to StopSignals: uvicorn ends the process by the signal after a clean stop."""
        return nullcontext()

    async def stop_after(self, stop: asyncio.Event, drain: Drain) -> None:
        """Once `stop` is set, report not ready, and accept no more after the drain."""
        await stop.wait()
        self.service.draining = True
        await asyncio.sleep(drain.seconds)
        self.should_exit = True

    def in_progress(self) -> str:
        """What a stop waits for."""
        models = self.service.models
        requests = len(self.server_state.tasks)
        named = ", ".join(model.source.name for model in models if model.is_running and model.source.name)
        running = ", a batch runs" if any(model.is_running for model in models) else ""
        of = f" of {named}" if named else ""
        return f"{requests} request{'s' * (requests != 1)} ({models.pending} texts wait{running}{of})"


@dataclass
class Drain:
    """Seconds to go on after SIGTERM; SIGINT stops without them."""

    seconds: float


@dataclass(frozen=True)
class ServerSettings:
    """What a server accepts, where it listens, the token it requires, and the seconds that it goes on after SIGTERM.

    With `control`, clients may load and unload its models.
    """

    limits: Limits
    connections: ConnectionLimits
    listener: Listener
    token: str | None = None
    drain: float = 1
    control: bool = False


def run_server(sources: Sequence[ModelSource], settings: ServerSettings) -> None:
    """Serve models until SIGTERM or SIGINT, then answer the accepted requests; SIGHUP loads their bundles again."""
    handler = LimitedHandler()
    logging.basicConfig(level=logging.INFO, format=_FORMAT, handlers=[handler])
    if settings.listener.is_public and not settings.listener.tls:
        _log.warning("the token is sent over the network in clear text: give --tls-certificate and --tls-key")
    asyncio.run(_serve(sources, settings, handler))
    handler.report_omitted(now=True)
    end_despite_runs()


async def _serve(sources: Sequence[ModelSource], settings: ServerSettings, handler: LimitedHandler) -> None:
    table = ConnectionTable(settings.connections)
    share = 1 / len(sources)
    models = [ServedModel(source, settings.limits, share, table.most) for source in sources]
    service = Service(models, settings.limits, settings.control)
    server = Server(_config(service, settings), service, table, settings.listener.url)
    drain = Drain(settings.drain)
    stop = _handle_signals(server, settings, drain)
    async with _beside(server.stop_after(stop, drain), _check_regularly(table, handler)), _watched(service):
        try:
            await service.models.start()
        except EdgenerError:
            await service.close()
            raise
        await server.serve([settings.listener.socket])
    for model in models:
        model.source.trial.close()
    answered = sum(model.requests.answered for model in models)
    _log.info("stopped: %d requests accepted, %d answered", sum(model.requests.accepted for model in models), answered)


@asynccontextmanager
async def _watched(service: Service) -> AsyncIterator[None]:
    """Watch the models, and load them again at a SIGHUP."""
    service.watch()
    hangup = Hangup(service.reload)
    hangup.install()
    for model in service.models:
        model.source.trial.reload = hangup.request
    try:
        yield
    finally:
        service.unwatch()


def _config(service: Service, settings: ServerSettings) -> uvicorn.Config:
    config = uvicorn.Config(
        create_app(service, settings.token),
        log_config=None,
        log_level="error",
        access_log=False,
        http="h11",
        ws="none",
        lifespan="on",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=round(settings.connections.idle) or 1,
        timeout_graceful_shutdown=int(2 * settings.limits.seconds) + _SPARE,
    )
    config.load()
    config.ssl = settings.listener.tls
    return config


def _handle_signals(server: Server, settings: ServerSettings, drain: Drain) -> asyncio.Event:
    """The event that the first SIGTERM or SIGINT sets; the second ends the process."""
    seconds = drain.seconds + _LAST_REQUESTS + 2 * settings.limits.seconds + _SPARE
    signals = StopSignals(asyncio.Event(), seconds, server.in_progress, _log.info)

    def receive(number: signal.Signals) -> None:
        if number is signal.SIGINT:
            signals.seconds -= drain.seconds
            drain.seconds = 0
        signals.receive(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, receive, number)
    return signals.stop


@asynccontextmanager
async def _beside(*work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run coroutines until the body ends."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _check_regularly(table: ConnectionTable, handler: LimitedHandler) -> None:
    while True:
        await asyncio.sleep(_TICK)
        notify(KEEP_ALIVE)  # also where no model is loaded that a watchdog watches
        table.close_late()
        handler.report_omitted()
