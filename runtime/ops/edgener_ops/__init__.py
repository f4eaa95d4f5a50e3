"""Operators for onnxruntime that run an encoder in INT8 with one range per row."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

__all__ = ["OPSET_VERSION", "instruction_sets", "library_path"]

OPSET_VERSION = 1
"""Version of the operator domain `edgener` that the library has."""


def library_path() -> Path:
    """The shared library, for `SessionOptions.register_custom_ops_library`."""
    return Path(__file__).resolve().with_name("libedgener_ops.so")


@cache
def instruction_sets() -> tuple[str, ...]:
    """What this CPU has of the instruction sets that the library was built for, the best first; none: it cannot run."""
    names = ctypes.CDLL(str(library_path())).EdgenerInstructionSets
    names.restype = ctypes.c_char_p
    return tuple(str(names(), "ascii").split())
