"""A benchmark as one function, for any scheduler that starts it on a machine: Ray, Dask, a queue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from edgener_runtime.base.serde import to_json
from edgener_runtime.errors import UserInputError


def bench_task(bundle_uri: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Measure a bundle on this machine; the result is a BenchResult of plain dicts, lists and numbers.

    `bundle_uri` is a path or a file: URI that this machine can read. `spec` holds fields of
    `edgener_runtime.commissioning.bench.spec.Spec`, such as {"seconds": 60, "variants": ["int8-dynamic"]}.
    If the task is interrupted, the result is partial. Raises EdgenerError as `edgener-runtime bench` does.
    """
    from edgener_runtime.commissioning.bench.run import run
    from edgener_runtime.commissioning.bench.spec import parse_spec

    bundle = _local(bundle_uri)
    try:
        asked = json.dumps({**spec, "bundle": str(bundle)})
    except TypeError as error:
        raise UserInputError(f"the spec is not JSON: {error}", "Use only texts, numbers and lists.") from None
    return dict(json.loads(to_json(run(parse_spec(asked, "the spec")))))


def _local(uri: str) -> Path:
    """The path of a bundle. Raises UserInputError for a remote one: whoever runs the task must copy it."""
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    if "://" in uri:
        raise UserInputError(
            f"the bundle is at {uri}, expected a path or file: URI",
            "Copy it to a path that every machine can read.",
        )
    return Path(uri)
