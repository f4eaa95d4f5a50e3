"""How files of a repository reach the device: an interface, and the bounds that hold for each way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from edgener_runtime.errors import BundleError, TransferError

CHUNK = 1 << 16
_PROGRESS = 512  # bytes; with fewer, a transfer would never end
_AGAIN = "Run the command again: it continues where this one stopped."


class SlowTransferError(TransferError):
    """A transfer that would take for ever; it is not tried again."""


class MissingFileError(TransferError):
    """A file that the source does not have."""


class Transport(Protocol):
    """A source of files, each under a path with `/`."""

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        """The bytes of a file from `offset` on. Raises MissingFileError, or TransferError where the transfer fails."""

    def close(self) -> None:
        """Give back what is open."""


@dataclass(frozen=True)
class TransferBounds:
    """What a transfer may take.

    `timeout` is the longest silence in seconds; after `grace` seconds of waiting, the average must be `slowest` bytes
    per second. `bandwidth`, in bytes per second, is what the device may use. A cut transfer is resumed up to `retries`
    times without progress, after `pause` seconds and longer each time.
    """

    timeout: float = 30.0
    grace: float = 60.0
    slowest: float = 1000.0
    bandwidth: float | None = None
    retries: int = 3
    pause: float = 1.0


class MeteredTransport:
    """A transport whose requests and bytes are counted and bounded."""

    def __init__(
        self,
        transport: Transport,
        bounds: TransferBounds,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.requests = 0
        self.received = 0
        self.bounds = bounds
        self._transport = transport
        self._clock = clock
        self._sleep = sleep
        self._started: float | None = None

    def read(self, path: str, most: int, offset: int = 0, exact: bool = False) -> Iterator[bytes]:
        """The bytes of a file from `offset` on, at most `most` in all, or exactly so many; what is cut is resumed.

        Raises MissingFileError; TransferError where it is cut too often or too slow; BundleError where it does not end.
        """
        failures = 0
        while True:
            before = offset
            try:
                for chunk in self._once(path, most, offset):
                    offset += len(chunk)
                    yield chunk
                if offset == most or not exact:
                    return
                raise TransferError(f"{path} ends after {offset:,} of {most:,} bytes", _AGAIN)
            except (MissingFileError, SlowTransferError):
                raise
            except TransferError:
                failures = 0 if offset >= before + _PROGRESS else failures + 1
                if failures > self.bounds.retries:
                    raise
            self._sleep(self.bounds.pause * 2**failures)

    def _once(self, path: str, most: int, offset: int) -> Iterator[bytes]:
        self.requests += 1
        chunks, waited, got = self._transport.read(path, offset), 0.0, 0
        while True:
            began = self._clock()
            chunk = next(chunks, None)
            waited += self._clock() - began
            if chunk is None:
                return
            got += len(chunk)
            self.received += len(chunk)
            if offset + got > most:
                raise BundleError(
                    f"{path} is longer than the {most:,} bytes that it may have",
                    "The source is broken or hostile: compare it with what was published.",
                )
            if waited > self.bounds.grace and got < self.bounds.slowest * waited:
                raise SlowTransferError(
                    f"{path} arrives with {got / waited:,.0f} bytes per second, expected {self.bounds.slowest:,.0f}",
                    _AGAIN,
                )
            self._throttle(began)
            yield chunk

    def _throttle(self, began: float) -> None:
        """Wait until what was received fits the bandwidth."""
        if self.bounds.bandwidth is None:
            return
        self._started = began if self._started is None else self._started
        ahead = self.received / self.bounds.bandwidth - (self._clock() - self._started)
        if ahead > 0:
            self._sleep(ahead)
