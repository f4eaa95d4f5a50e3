"""Prints the names and arguments of TensorRT's classes that run an engine, as the bindings at hand have them.

    python tests/nvidia/signatures.py [MODULE]

Needs the bindings and, where TensorRT's libraries are not installed, a stub of them to load.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from typing import Any

CLASSES = ("ILogger", "Runtime", "ICudaEngine", "IExecutionContext")
ENUMERATIONS = ("TensorIOMode", "DataType", "ExecutionContextAllocationStrategy")
_CALL = re.compile(r"^(?:\d+\. )?(\w+)\(self: [^,)]+(?:, )?(.*)\) -> ", re.MULTILINE)
_ARGUMENT = re.compile(r"(?:^|, )(\w+): ")


def arguments_of(function: Any) -> list[list[str]]:
    """The arguments of each overload, as pybind11 writes them down; `=` stands behind those that may be left out."""
    return [
        [
            name + ("=" if " = " in part else "")
            for name, part in zip(_ARGUMENT.findall(listed), _ARGUMENT.split(listed)[2::2], strict=True)
        ]
        for _, listed in _CALL.findall(function.__doc__ or "")
    ]


def class_of(found: type) -> dict[str, Any]:
    """A class's properties and its methods with their arguments."""
    members = {name: getattr(found, name) for name in dir(found) if not name.startswith("_") or name == "__init__"}
    methods = {name: arguments_of(member) for name, member in members.items() if callable(member)}
    properties = [name for name, member in members.items() if isinstance(member, property)]
    return {"methods": methods, "properties": properties}


def signatures(trt: Any) -> dict[str, Any]:
    """All of it, to be written as JSON."""
    return {
        "version": trt.__version__,
        "classes": {name: class_of(getattr(trt, name)) for name in CLASSES},
        "enumerations": {name: list(getattr(trt, name).__members__) for name in ENUMERATIONS},
    }


if __name__ == "__main__":
    module = importlib.import_module(sys.argv[1] if len(sys.argv) > 1 else "tensorrt_bindings")
    print(json.dumps(signatures(module), indent=1))  # noqa: T201
