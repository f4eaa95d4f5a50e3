"""A round's samples as a line of text: milliseconds as little-endian float32, deflated (RFC 1950), in base64."""

from __future__ import annotations

import base64
import binascii
import zlib

import numpy as np
from numpy.typing import NDArray

from edgener_runtime.errors import UserInputError

_STORED = np.dtype("<f4")
_MOST_BYTES = 1 << 28  # limit for a damaged or hostile file: 67 million samples


def pack(milliseconds: NDArray[np.float64]) -> str:
    """Samples as text, to 7 digits."""
    return base64.b64encode(zlib.compress(milliseconds.astype(_STORED).tobytes(), 9)).decode("ascii")


def unpack(text: str) -> NDArray[np.float64]:
    """The samples of such a text, in their order. Raises UserInputError if it is damaged or a sample is not a time."""
    try:
        inflate = zlib.decompressobj()
        stored = inflate.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise _damaged(str(error)) from None
    if not inflate.eof or inflate.unused_data or len(stored) % _STORED.itemsize:
        raise _damaged(f"after {len(stored)} bytes they end early, or too much follows")
    milliseconds = np.frombuffer(stored, _STORED).astype(np.float64)
    if not (np.isfinite(milliseconds) & (milliseconds >= 0)).all():
        raise _damaged("a sample is not a number, or below 0")
    return milliseconds


def _damaged(why: str) -> UserInputError:
    return UserInputError(f"a round's samples are damaged: {why}", "Copy the file again, or run the benchmark again.")
