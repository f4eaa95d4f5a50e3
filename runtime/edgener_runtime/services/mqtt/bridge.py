"""The bridge: it connects, answers messages and reconnects until `stop` is set."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from edgener_runtime.errors import UserInputError
from edgener_runtime.services.systemd import READY, notify

from .answers import Answerer, PublishRefusedError
from .broker import Broker
from .connection import Connection, ConnectionLostError, taken_over
from .messages import IncomingMessage, OutgoingMessage

BYTES_IN_PROGRESS = 262_144  # of payload
_SUSPICIOUS = 3  # connections in a row that the broker soon ended without a reason, until the session is checked
_SOON = 2  # times the longest delay between attempts: two bridges that take turns do not last longer
_Result = TypeVar("_Result")
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
    _pump: Pump | None = None
    _overdue: bool = False
    _connections: int = 0
    _hung_up: int = 0  # connections in a row that the broker soon ended without a reason

    def in_progress(self) -> str:
        """The number of messages that are received and not acknowledged, in words."""
        count = self._pump.connection.held if self._pump else 0
        return f"{count} message{'s' * (count != 1)} in progress"

    async def run(self, stop: asyncio.Event) -> None:
        """Answer until `stop` is set, then finish the messages in progress.

        Raises UserInputError where the broker refuses the bridge for good or another client has its session,
        EdgenerError where the model fails on every text.
        """
        await self.answerer.probe()
        notify(READY)
        while not stop.is_set():
            began = asyncio.get_running_loop().time()
            try:
                await self._serve(stop)
            except ConnectionLostError as lost:
                lasted = asyncio.get_running_loop().time() - began
                self._hung_up = self._hung_up + 1 if lost.hung_up and lasted < _SOON * self.backoff.longest else 0
                if lasted > self.backoff.longest:
                    self.backoff.reset()
                delay = self.backoff.delay() if lost.wait else 0
                self.report(f"{lost}; trying again in {delay:.1f} s" if lost.wait else str(lost))
                await _wait(stop, delay)
                await self._check_session()

    def set_overdue(self, overdue: bool) -> None:
        """Publish whether the model's batch is overdue."""
        self._overdue = overdue
        if self._pump:
            self._pump.add(self._publish_status(self._pump.connection))

    async def give_up(self) -> None:
        """Publish the dead letter of a message whose text alone holds the model, so that no restart meets it again."""
        if self._pump:
            await self._pump.give_up()

    async def _check_session(self) -> None:
        """Raise UserInputError where another client has the session: the status says so while this one is away.

        Only MQTT 5 has a reason for it, and mosquitto 2.0 does not send it.
        """
        if self._hung_up < _SUSPICIOUS:
            return
        name = f"{self.broker.client_id[:14]}-{secrets.token_hex(4)}"
        looking = Connection(replace(self.broker, client_id=name, keeps_session=False), self._status("offline"))
        try:
            await looking.connect()
            status = await looking.read_retained(self.answerer.topics.status)
        except (ConnectionLostError, UserInputError):  # a broker may not know clients by another name
            return
        finally:
            looking.drop()
        if status in (b"online", b"overdue"):
            raise taken_over(self.broker)

    async def _serve(self, stop: asyncio.Event) -> None:
        """Answer over one connection. Raises ConnectionLostError where it ends before `stop` is set."""
        connection = Connection(self.broker, self._status("offline"), self.answerer.max_bytes)
        await connection.connect()
        try:
            await connection.subscribe(self.answerer.topics.requests)
            await self._publish_status(connection)
            session = (
                "the session was kept"
                if connection.session_present
                else "a new session, with nothing that was published before"
            )
            self.report(f"connected to {self.broker} as {self.broker.client_id}: {session}")
            self._pump = pump = Pump(connection, self.answerer, careful=self._connections == 0)
            self._connections += 1
            try:
                await pump.run(stop)
            except ConnectionLostError:
                if pump.unconfirmed:
                    self.answerer.lost_with(pump.unconfirmed)
                raise
        finally:
            self._pump = None
            await connection.close(self._status("offline"))

    async def _publish_status(self, connection: Connection) -> None:
        try:
            await connection.publish_confirmed(self._status())
        except PublishRefusedError as refused:
            topic = self.answerer.topics.status
            raise UserInputError(
                f"the broker takes nothing on {topic}: {refused}", "Let the bridge's user write there."
            ) from None

    def _status(self, word: str | None = None) -> OutgoingMessage:
        word = word or ("overdue" if self._overdue else "online")
        return OutgoingMessage(self.answerer.topics.status, word.encode(), retain=True)


class Pump:
    """Answers a connection's messages: concurrently computed, then published and acknowledged in order of arrival.

    MQTT requires that order of acknowledgements [MQTT-4.6.0-2]. A message is acknowledged after the broker has
    confirmed its answer, so that the broker always holds one of the two. Messages of at most `BYTES_IN_PROGRESS`, or a
    single one, are in computation at once, as their entities take many times their size. If `careful`, a message that
    the broker repeats is computed alone, as it may have ended the process before this one.
    """

    def __init__(self, connection: Connection, answerer: Answerer, careful: bool = False) -> None:
        self.connection = connection
        self.answerer = answerer
        self.careful = careful
        self.unconfirmed: IncomingMessage | None = None
        self._computing: asyncio.Queue[_Computing] = asyncio.Queue()  # the broker's `window` bounds every queue
        self._confirming: asyncio.Queue[_Confirming] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._in_progress: dict[int, IncomingMessage] = {}
        self._done = asyncio.Event()
        self._given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()

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

    def add(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        """Start work that ends with the pump."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # asyncio warns of any not looked at
        return task

    async def give_up(self) -> None:
        """Where a single message is in progress, publish its dead letter and acknowledge it."""
        if len(self._in_progress) == 1:
            self._given_up.set_result(None)
            await self._until_progress()
            self.connection.flush()

    async def _until(self, stop: asyncio.Event) -> None:
        await stop.wait()
        await self.connection.drain()

    async def _until_progress(self) -> None:
        self._done.clear()
        await self._done.wait()

    async def _compute(self) -> None:
        while True:
            arrival = await self.connection.arrivals.get()
            alone = self.careful and arrival.repeated
            while self._in_progress and (alone or not self._has_room(arrival)):
                await self._until_progress()
            self._in_progress[id(arrival)] = arrival
            self._computing.put_nowait((arrival, self.add(self._reply(arrival))))
            while alone and self._in_progress:
                await self._until_progress()

    def _has_room(self, arrival: IncomingMessage) -> bool:
        held = sum(len(message.payload) for message in self._in_progress.values())
        return held + len(arrival.payload) <= BYTES_IN_PROGRESS

    async def _reply(self, arrival: IncomingMessage) -> OutgoingMessage:
        reply = asyncio.ensure_future(self.answerer.reply(arrival))
        either: set[asyncio.Future[Any]] = {reply, self._given_up}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return reply.result() if reply.done() else self.answerer.give_up(arrival)
        finally:
            reply.cancel()

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
            del self._in_progress[id(arrival)]
            self._done.set()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except asyncio.TimeoutError:  # another class than TimeoutError before Python 3.11
        return
