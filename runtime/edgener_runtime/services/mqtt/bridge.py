"""The bridge: it connects, answers messages and reconnects until `stop` is set."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from edgener_runtime.errors import UserInputError

from .answers import Answerer, PublishRefusedError
from .broker import Broker
from .connection import Connection, ConnectionLostError
from .messages import IncomingMessage, OutgoingMessage

_Computing = tuple[IncomingMessage, "asyncio.Task[OutgoingMessage]"]
_Confirming = tuple[IncomingMessage, OutgoingMessage, "asyncio.Future[None]"]


@dataclass
class Backoff:
    """Delays that double from `first` to `longest` seconds, each reduced at random to between half and all of it.

    The random share spreads the reconnections of a fleet of devices.
    """

    first: float = 1
    longest: float = 60
    share: Callable[[], float] = random.random
    _attempts: int = 0

    def delay(self) -> float:
        """Seconds to wait before the next attempt."""
        whole = min(self.longest, self.first * 2.0 ** min(self._attempts, 32))
        self._attempts += 1
        return whole * (1 + self.share()) / 2

    def reset(self) -> None:
        """Start again with the shortest delay."""
        self._attempts = 0


@dataclass
class Bridge:
    """Connects a broker to an answerer. `report` receives each line for the log."""

    broker: Broker
    answerer: Answerer
    report: Callable[[str], None]
    backoff: Backoff = field(default_factory=Backoff)

    async def run(self, stop: asyncio.Event) -> None:
        """Answer until `stop` is set, then finish the messages in progress.

        Raises UserInputError where the broker refuses the bridge for good, EdgenerError where the model fails on every
        text.
        """
        await self.answerer.probe()
        while not stop.is_set():
            began = asyncio.get_running_loop().time()
            try:
                await self._serve(stop)
            except ConnectionLostError as lost:
                if asyncio.get_running_loop().time() - began > self.backoff.longest:
                    self.backoff.reset()
                delay = self.backoff.delay() if lost.wait else 0
                self.report(f"{lost}; trying again in {delay:.1f} s" if lost.wait else str(lost))
                await _wait(stop, delay)

    async def _serve(self, stop: asyncio.Event) -> None:
        """Answer over one connection. Raises ConnectionLostError where it ends before `stop` is set."""
        connection = Connection(self.broker, self._status("offline"))
        await connection.connect()
        try:
            await connection.subscribe(self.answerer.topics.requests)
            await self._publish_online(connection)
            session = (
                "the session was kept"
                if connection.session_present
                else "a new session, with nothing that was published before"
            )
            self.report(f"connected to {self.broker} as {self.broker.client_id}: {session}")
            pump = Pump(connection, self.answerer)
            try:
                await pump.run(stop)
            except ConnectionLostError:
                if pump.unconfirmed:
                    self.answerer.lost_with(pump.unconfirmed)
                raise
        finally:
            await connection.close(self._status("offline"))

    async def _publish_online(self, connection: Connection) -> None:
        try:
            await connection.publish_confirmed(self._status("online"))
        except PublishRefusedError as refused:
            topic = self.answerer.topics.status
            raise UserInputError(
                f"the broker takes nothing on {topic}: {refused}", "Let the bridge's user write there."
            ) from None

    def _status(self, word: str) -> OutgoingMessage:
        return OutgoingMessage(self.answerer.topics.status, word.encode(), retain=True)


class Pump:
    """Answers a connection's messages: concurrently computed, then published and acknowledged in order of arrival.

    MQTT requires that order of acknowledgements [MQTT-4.6.0-2]. A message is acknowledged after the broker has
    confirmed its answer, so that the broker always holds one of the two.
    """

    def __init__(self, connection: Connection, answerer: Answerer) -> None:
        self.connection = connection
        self.answerer = answerer
        self.unconfirmed: IncomingMessage | None = None
        self._computing: asyncio.Queue[_Computing] = asyncio.Queue()  # the broker's `window` bounds every queue
        self._confirming: asyncio.Queue[_Confirming] = asyncio.Queue()
        self._tasks: set[asyncio.Task[OutgoingMessage]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Answer until `stop` is set and nothing is in progress. Raises ConnectionLostError."""
        stages = [asyncio.create_task(stage()) for stage in (self._compute, self._publish, self._confirm)]
        stopped = asyncio.create_task(self._until(stop))
        try:
            done, _ = await asyncio.wait({*stages, stopped, self.connection.lost}, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:
                ended.result()
        finally:
            for task in (*stages, stopped, *self._tasks):
                task.cancel()
            await asyncio.gather(*stages, stopped, *self._tasks, return_exceptions=True)

    async def _until(self, stop: asyncio.Event) -> None:
        await stop.wait()
        await self.connection.drain()

    async def _compute(self) -> None:
        while True:
            arrival = await self.connection.arrivals.get()
            task = asyncio.create_task(self.answerer.reply(arrival))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            self._computing.put_nowait((arrival, task))

    async def _publish(self) -> None:
        while True:
            arrival, task = await self._computing.get()
            message = await task
            self._confirming.put_nowait((arrival, message, await self.connection.publish(message)))

    async def _confirm(self) -> None:
        while True:
            arrival, message, confirmation = await self._confirming.get()
            self.unconfirmed = arrival
            while True:
                try:
                    await confirmation
                    break
                except PublishRefusedError as refused:
                    message = self.answerer.replacement(arrival, message, refused)
                    confirmation = await self.connection.publish(message)
            self.unconfirmed = None
            self.answerer.confirmed()
            self.connection.acknowledge(arrival)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except asyncio.TimeoutError:  # another class than TimeoutError before Python 3.11
        return
