"""Bytes of each distribution of this environment, compiled modules included, as a JSON object; pip left out."""

import json
from importlib.metadata import distributions

sizes = {}
for distribution in distributions():
    name = distribution.metadata["Name"].lower()
    files = [distribution.locate_file(file) for file in distribution.files or ()]
    if name not in ("pip", "setuptools"):
        sizes[name] = sum(file.stat().st_size for file in files if file.is_file())
print(json.dumps(sizes))  # noqa: T201
