"""What a build that failed tells, as an error with the next step; the one place where TensorRT's own words are read."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgener_runtime import errors
from edgener_runtime.base.process import Ended, Event
from edgener_runtime.errors import DeviceError, EdgenerError, ExportError, ProviderError

SEVERE = ("ERROR", "INTERNAL_ERROR")
_MOST = 3  # messages of the log that an error quotes


@dataclass(frozen=True)
class Known:
    """Words of TensorRT, what they amount to, and the next step."""

    words: str
    kind: type[EdgenerError]
    hint: str


KNOWN = (
    Known(
        "CUDA initialization failure|no CUDA-capable device|CUDA driver version is insufficient",
        ProviderError,
        "See what this machine has: edgener-runtime devices",
    ),
    Known(
        "out of memory|OutOfMemory|cudaErrorMemoryAllocation|insufficient memory|bad_alloc|MemoryError"
        "|cannot allocate memory|Resource temporarily unavailable",  # the last is of a thread that could not start
        DeviceError,
        "Free some memory, or lower --workspace, --batch or the largest shapes.",
    ),
    Known("zero point", ExportError, "Quantise symmetrically: take the variant int8-qdq."),
    Known("Plugin not found", ExportError, "Take a variant without onnxruntime's own operators: fp32, fp16, int8-qdq."),
    Known(
        "compute capability|Unsupported SM|CUDA_ERROR_NO_BINARY_FOR_GPU",
        ProviderError,
        "Build on the device itself: edgener-runtime prepare",
    ),
    Known(
        "optimization profile|profile dimension|kMIN|kMAX",
        ExportError,
        "Choose other shapes: --min-shapes, --opt-shapes, --max-shapes.",
    ),
)
_OTHER = "The messages above are TensorRT's own; try another variant, or fewer options."


def failure(title: str, ended: Ended, events: Sequence[Event]) -> EdgenerError:
    """The error of a process that built nothing, from what it told and how it ended."""
    logged = _severe(events)
    if told := next((event for event in events if event["event"] == "failed"), None):
        return _told(told, logged)
    said = ended.stderr.splitlines()
    if ended.code < 0:
        return _killed(title, -ended.code, logged or said)
    last = (said or ["it said nothing"])[-1]
    message = f"the process that builds with {title} ended with code {ended.code}: {last}"
    known = _known(last)
    return known.kind(message, known.hint) if known else EdgenerError(message, "Run again with --verbose.")


def _told(event: Event, logged: Sequence[str]) -> EdgenerError:
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
    hint = known.hint if known else "Free some memory, if it is short; see what is here: edgener-runtime devices"
    return ProviderError(f"{title} crashed ({name}) and took its process along; nothing was written{last}", hint)


def _known(words: str) -> Known | None:
    return next((known for known in KNOWN if re.search(known.words, words, re.IGNORECASE)), None)


def _severe(events: Iterable[Event]) -> list[str]:
    """The log's errors, each once, without the place in TensorRT's source."""
    messages = (event["message"] for event in events if event["event"] == "log" and event["severity"] in SEVERE)
    return list(dict.fromkeys(re.sub(r"^\S+\.(cpp|h|cu):\d+:\s*", "", message).strip() for message in messages))
