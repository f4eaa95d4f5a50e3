"""What a module of TensorRT has, as JSON: `python api.py MODULE`; run by the Python of an environment that has it.

Classes by name with their members and what these say of themselves, and the module's own names under "".
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys


def main(name: str) -> None:
    module = importlib.import_module(name)
    api = {"": dict.fromkeys(dir(module), "")}
    for member, value in inspect.getmembers(module, inspect.isclass):
        api[member] = {each: inspect.getdoc(getattr(value, each)) or "" for each in dir(value)}
    sys.stdout.write(json.dumps({"version": module.__version__, "api": api}))


if __name__ == "__main__":
    main(sys.argv[1])
