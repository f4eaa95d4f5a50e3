"""The pump: it computes the answers to a connection's messages, publishes them and acknowledges the messages."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from .answers import Answerer, PublishRefusedError
from .connection import Connection
from .messages import IncomingMessage, OutgoingMessage
from .suspects import Suspects

BYTES_IN_PROGRESS = 131_072  # of payload
_Result = TypeVar("_Result")
_Computing = tuple[IncomingMessage, "asyncio.Task[OutgoingMessage]"]
_Confirming = tuple[IncomingMessage, OutgoingMessage, "asyncio.Future[None]"]


class Pump:
    """Answers a connection's messages: concurrently computed, then published and acknowledged in order of arrival.

    MQTT requires that order of acknowledgements [MQTT-4.6.0-2]. A message is acknowledged after the broker has
    confirmed its answer, so that the broker always holds one of the two. Messages of at most `BYTES_IN_PROGRESS`, or a
    single one, are in computation at once, as their entities take many times their size. With `suspects`, a message
    that the broker repeats is computed alone, as it may have ended the process before this one.
    """

    def __init__(self, connection: Connection, answerer: Answerer, suspects: Suspects | None = None) -> None:
        self.connection = connection
        self.answerer = answerer
        self.suspects = suspects
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
            alone = self.suspects is not None and arrival.repeated
            while self._in_progress and (alone or not self._has_room(arrival)):
                await self._until_progress()
            self._in_progress[id(arrival)] = arrival
            if alone and self.suspects and not self.suspects.begin(arrival.key):
                self._computing.put_nowait((arrival, self.add(self._ended_at(arrival))))
            else:
                self._computing.put_nowait((arrival, self.add(self._reply(arrival))))
            while alone and self._in_progress:
                await self._until_progress()
            if alone and self.suspects:
                self.suspects.end()

    def _has_room(self, arrival: IncomingMessage) -> bool:
        held = sum(len(message.payload) for message in self._in_progress.values())
        return held + len(arrival.payload) <= BYTES_IN_PROGRESS

    async def _ended_at(self, arrival: IncomingMessage) -> OutgoingMessage:
        return self.answerer.ended_at(arrival)

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
