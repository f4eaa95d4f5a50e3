"""Maps a failed build to an error with the next step; only this module parses TensorRT's messages."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgener_runtime import errors
from edgener_runtime.base.process import Ended, Event
from edgener_runtime.errors import DeviceError, EdgenerError, ExportError, ProviderError

SEVERE = ("ERROR", "INTERNAL_ERROR")
_MOST = 3  # log messages that an error quotes


@dataclass(frozen=True)
class KnownFailure:
    """A pattern of TensorRT's messages, its error class, and the next step."""

    words: str
    kind: type[EdgenerError]
    hint: str


KNOWN = (
    KnownFailure(
        "CUDA initialization failure|no CUDA-capable device|CUDA driver version is insufficient",
        ProviderError,
        "See what this machine has: edgener-runtime devices",
    ),
    KnownFailure(
        "out of memory|OutOfMemory|cudaErrorMemoryAllocation|insufficient memory|bad_alloc|MemoryError"
        "|cannot allocate memory|Resource temporarily unavailable",  # the last is from a thread that could not start
        DeviceError,
        "Free some memory, or lower --workspace, --batch or the largest shapes.",
    ),
    KnownFailure("zero point", ExportError, "Quantise symmetrically: use the variant int8-qdq."),
    KnownFailure(
        "Plugin not found", ExportError, "Use a variant without onnxruntime's own operators: fp32, fp16, int8-qdq."
    ),
    KnownFailure(
        "compute capability|Unsupported SM|CUDA_ERROR_NO_BINARY_FOR_GPU",
        ProviderError,
        "Build on the device itself: edgener-runtime prepare",
    ),
    KnownFailure(
        "optimization profile|profile dimension|kMIN|kMAX",
        ExportError,
        "Choose other shapes: --min-shapes, --opt-shapes, --max-shapes.",
    ),
)
_OTHER = "Try another variant, or fewer options; --verbose shows TensorRT's warnings."


def failure(title: str, ended: Ended, events: Sequence[Event]) -> EdgenerError:
    """The error of a process that built nothing, from its events and its end."""
    logged = _severe(events)
    if event := next((each for each in events if each["event"] == "failed"), None):
        return _reported_failure(event, logged)
    said = ended.stderr.splitlines()
    if ended.code < 0:
        return _killed(title, -ended.code, logged or said)
    last = (said or ["no output"])[-1]
    message = f"the process that builds with {title} ended with code {ended.code}: {last}"
    known = _known(last)
    return known.kind(message, known.hint) if known else EdgenerError(message, "Run again with --verbose.")


def _reported_failure(event: Event, logged: Sequence[str]) -> EdgenerError:
    kind: type[EdgenerError] = getattr(errors, event["kind"], EdgenerError)
    if event["hint"] is not None:
        return kind(event["message"], event["hint"])
    message = ": ".join([event["message"], *(["; ".join(logged[:_MOST])] if logged else [])])
    known = _known(message)
    return known.kind(message, known.hint) if known else kind(message, _OTHER)


def _killed(title: str, number: int, messages: Sequence[str]) -> EdgenerError:
    name = signal.Signals(number).name if number in signal.valid_signals() else f"signal {number}"
    last = f"; its last message: {messages[-1]}" if messages else ""
    if number == signal.SIGKILL:
        return DeviceError(
            f"building with {title} was killed ({name}), as the system does where memory runs out{last}",
            "Free some memory, or lower --workspace, --batch or the largest shapes.",
        )
    known = _known(last)
    hint = (
        known.hint if known else "Free some memory if it is short; see what this machine has: edgener-runtime devices"
    )
    return ProviderError(f"{title} crashed ({name}) with its process; nothing was written{last}", hint)


def _known(words: str) -> KnownFailure | None:
    return next((known for known in KNOWN if re.search(known.words, words, re.IGNORECASE)), None)


def _severe(events: Iterable[Event]) -> list[str]:
    """The errors in the log, each once, without positions in TensorRT's source."""
    messages = (event["message"] for event in events if event["event"] == "log" and event["severity"] in SEVERE)
    return list(dict.fromkeys(re.sub(r"^\S+\.(cpp|h|cu):\d+:\s*", "", message).strip() for message in messages))
