"""The benchmark on every worker of a Dask cluster, once on each: python dask_bench.py BUNDLE RESULTS --address tcp://...

Run one worker per machine, or two would disturb each other. Each reads BUNDLE at the same path, and has edgener,
edgener-runtime and onnxruntime; torch is not needed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from distributed import Client

from edgener.fleet.task import bench_task


def main() -> None:
    """Run the task on all workers at once, and write the results of those that did not fail."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", help="path or file: URI, the same on every machine")
    parser.add_argument("results", type=Path, help="folder for one result per worker")
    parser.add_argument("--address", required=True, help="address of the scheduler")
    parser.add_argument("--spec", type=json.loads, default={}, help="such as '{\"seconds\": 60}'")
    options = parser.parse_args()

    with Client(options.address) as client:
        found = client.run(bench_task, options.bundle, options.spec, on_error="return")
    options.results.mkdir(parents=True, exist_ok=True)
    failed = 0
    for number, (worker, result) in enumerate(found.items(), start=1):
        if isinstance(result, Exception):
            failed += 1
            print(f"{worker}: failed: {result}")  # noqa: T201
            continue
        file = options.results / f"worker-{number}.json"
        file.write_text(json.dumps(result, indent=2), encoding="utf-8")
        print(f"{worker}: {file}")  # noqa: T201
    raise SystemExit(6 if failed else 0)


if __name__ == "__main__":
    main()
