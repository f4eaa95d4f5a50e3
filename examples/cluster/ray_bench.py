"""The benchmark on every node of a Ray cluster, one task per node: python ray_bench.py BUNDLE RESULTS --address auto

Every node reads BUNDLE at the same path, and has edgener, edgener-runtime and onnxruntime; torch is not needed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from edgener.fleet.task import bench_task


def main() -> None:
    """Start a task on each node, and write each result as it arrives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", help="path or file: URI, the same on every node")
    parser.add_argument("results", type=Path, help="folder for one result per node")
    parser.add_argument("--address", help="of the cluster [default: a new one on this machine]")
    parser.add_argument("--spec", type=json.loads, default={}, help="such as '{\"seconds\": 60}'")
    options = parser.parse_args()

    ray.init(address=options.address, log_to_driver=False)
    pending = {start(node, options.bundle, options.spec): node["NodeID"] for node in ray.nodes() if node["Alive"]}
    options.results.mkdir(parents=True, exist_ok=True)
    failed = 0
    while pending:
        [done], _ = ray.wait(list(pending), num_returns=1)
        failed += not keep(done, options.results / f"{pending.pop(done)}.json")
    raise SystemExit(6 if failed else 0)


def start(node: dict[str, Any], bundle: str, spec: dict[str, Any]) -> ray.ObjectRef[dict[str, Any]]:
    """A task with all CPUs of its node, so that nothing else runs there, and without retries."""
    pinned = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
    task = ray.remote(bench_task).options(
        num_cpus=node["Resources"].get("CPU", 0), scheduling_strategy=pinned, max_retries=0
    )
    return task.remote(bundle, {"name": node["NodeManagerHostname"], **spec})


def keep(done: ray.ObjectRef[dict[str, Any]], file: Path) -> bool:
    """Write a task's result, or print why there is none."""
    try:
        file.write_text(json.dumps(ray.get(done), indent=2), encoding="utf-8")
    except ray.exceptions.RayError as error:
        print(f"{file.stem}: failed: {getattr(error, 'cause', None) or error}")  # noqa: T201
        return False
    print(f"{file.stem}: {file}")  # noqa: T201
    return True


if __name__ == "__main__":
    main()
