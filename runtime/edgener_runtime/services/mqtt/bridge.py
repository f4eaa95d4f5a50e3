"""The bridge: it connects, answers messages and reconnects until `stop` is set."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from edgener_runtime.errors import UserInputError
from edgener_runtime.services.systemd import READY, notify

from .answers import Answerer, PublishRefusedError
from .broker import Broker
from .connection import Connection, ConnectionLostError, taken_over
from .messages import OutgoingMessage
from .monitoring_status import publish_regularly
from .pump import Pump
from .suspects import Suspects

_SUSPICIOUS = 3  # connections in a row that the broker soon ended without a reason, until the session is checked
_ONLINE, _OVERDUE, _SELFTEST_FAILED, _OFFLINE = b"online", b"overdue", b"selftest-failed", b"offline"  # the status
_SOON = 2  # times the longest delay between attempts: two bridges that take turns do not last longer


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
    _selftest_failed: bool = False
    _suspects: Suspects | None = field(default_factory=Suspects.of_environment)
    _hung_up: int = 0  # connections in a row that the broker soon ended without a reason, each at another message
    _blamed: str | None = None  # the key of the message whose answer the last of them did not confirm

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
                if self._hung_up >= _SUSPICIOUS and not stop.is_set():
                    await self._check_session()

    def set_overdue(self, overdue: bool) -> None:
        """Publish whether the model's batch is overdue."""
        self._overdue = overdue
        self._publish_change()

    def set_selftest_fault(self, fault: str | None) -> None:
        """Publish whether the model's selftest fails, where that has changed."""
        if self._selftest_failed != bool(fault):
            self._selftest_failed = bool(fault)
            self._publish_change()

    def _publish_change(self) -> None:
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
        name = f"{self.broker.client_id[:14]}-{secrets.token_hex(4)}"
        looking = Connection(replace(self.broker, client_id=name, keeps_session=False), self._status(_OFFLINE))
        try:
            await looking.connect()
            status = await looking.read_retained(self.answerer.topics.status)
        except (ConnectionLostError, UserInputError):  # a broker may not know clients by another name
            status = None
        finally:
            looking.drop()
        if status in (_ONLINE, _OVERDUE, _SELFTEST_FAILED):
            raise taken_over(self.broker)
        self.report(
            f"the broker ended {self._hung_up} connections in a row without a reason; "
            f"does another client connect as {self.broker.client_id}?"
        )

    async def _serve(self, stop: asyncio.Event) -> None:
        """Answer over one connection. Raises ConnectionLostError where it ends before `stop` is set."""
        connection = Connection(self.broker, self._status(_OFFLINE), self.answerer.max_bytes)
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
            self._pump = pump = Pump(connection, self.answerer, self._suspects)
            pump.add(publish_regularly(connection, self.answerer, self.report))
            self._suspects = None  # what is repeated on the next connection was in progress in this process
            try:
                await pump.run(stop)
            except ConnectionLostError as lost:
                if pump.unconfirmed:
                    self.answerer.lost_with(pump.unconfirmed)
                    lost.hung_up = lost.hung_up and pump.unconfirmed.key != self._blamed
                    self._blamed = pump.unconfirmed.key
                raise
        finally:
            self._pump = None
            await connection.close(self._status(_OFFLINE))

    async def _publish_status(self, connection: Connection) -> None:
        try:
            await connection.publish_confirmed(self._status())
        except PublishRefusedError as refused:
            topic = self.answerer.topics.status
            raise UserInputError(
                f"the broker takes nothing on {topic}: {refused}", "Let the bridge's user write there."
            ) from None

    def _status(self, word: bytes | None = None) -> OutgoingMessage:
        found = _OVERDUE if self._overdue else _SELFTEST_FAILED if self._selftest_failed else _ONLINE
        return OutgoingMessage(self.answerer.topics.status, word or found, retain=True)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except asyncio.TimeoutError:  # another class than TimeoutError before Python 3.11
        return
