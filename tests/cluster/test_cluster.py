"""The examples for clusters, each run on a cluster of two workers on this machine. make test-cluster"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from edgener_runtime.commissioning.bench.results.record import BenchResult

pytestmark = pytest.mark.environment

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "runtime" / "tests" / "bundle"
SPEC = '{"seconds": 3, "variants": ["int8-dynamic"], "threads": [1]}'
NO_VARIANT = '{"variants": ["int9"]}'


@pytest.fixture(scope="module")
def ray_address() -> Iterator[str]:
    pytest.importorskip("ray", reason="no ray here: make test-cluster")
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def dask_address() -> Iterator[str]:
    distributed = pytest.importorskip("distributed", reason="no dask here: make test-cluster")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def run(name: str, address: str, folder: Path, spec: str) -> subprocess.CompletedProcess[str]:
    example = ROOT / "examples" / "cluster" / f"{name}_bench.py"
    return subprocess.run(
        [sys.executable, example, BUNDLE, folder / "out", "--address", address, "--spec", spec],
        capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["ray", "dask"])
def test_two_workers_give_the_same_schema(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    from edgener_runtime.commissioning.bench.results.record import read_result

    done = run(name, request.getfixturevalue(f"{name}_address"), tmp_path, SPEC)
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = (read_result(file) for file in sorted((tmp_path / "out").iterdir()))
    assert [row.case for row in one.rows] == [row.case for row in two.rows] and len(one.rows) == 2
    assert all(row.figures for result in (one, two) for row in result.rows)
    assert one.workloads == two.workloads and one.fingerprint == two.fingerprint
    names = {field.name for field in fields(one)}
    assert names >= MAY_DIFFER
    assert {name for name in names if getattr(one, name) != getattr(two, name)} <= MAY_DIFFER
    assert lasting(one) == lasting(two)


MAY_DIFFER = {"started", "seconds", "rows", "notes"}  #: What two workers at the same task may measure differently.


def lasting(result: BenchResult) -> list[str]:
    """What a worker's result notes of the machine, without its load: the first worker to start sees less of it."""
    return [note for note in result.notes if not note.startswith("the load average")]


@pytest.mark.parametrize("name", ["ray", "dask"])
def test_a_task_that_fails_says_why(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    done = run(name, request.getfixturevalue(f"{name}_address"), tmp_path, NO_VARIANT)
    assert done.returncode == 6
    assert done.stdout.count("failed: ") == 2 and "int9" in done.stdout, done.stdout + done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_no_torch_is_needed() -> None:
    pytest.importorskip("ray", reason="no ray here: make test-cluster")
    code = "import sys, edgener.fleet.task, edgener_runtime.commissioning.bench.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "onnx", "rich", "yaml"} & set(done.stdout.split())
