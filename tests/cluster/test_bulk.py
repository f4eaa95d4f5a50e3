"""The examples of bulk tagging on Ray and Spark, and on Dask, on this machine. make test-cluster"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.environment

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "runtime" / "tests" / "bundle"
TEXTS, FILES = 9_000, 6
VARIANT = "fp32"  # its answers do not depend on the batch
ACTOR = "MapWorker(MapBatches(BatchTagger))"  # how Ray names the process of a worker


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Parquet files of texts, one of which is null."""
    pa = pytest.importorskip("pyarrow", reason="no pyarrow here: make test-cluster")
    import pyarrow.parquet as pq

    folder = tmp_path / "texts"
    folder.mkdir()
    for file in range(FILES):
        numbers = range(file * TEXTS // FILES, (file + 1) * TEXTS // FILES)
        rows = [{"id": number, "text": f"Pump P-{number} leaks" if number else None} for number in numbers]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{file}.parquet")
    return folder


@pytest.fixture
def ray_address() -> Iterator[str]:
    pytest.importorskip("ray", reason="no ray here: make test-cluster")
    from ray.cluster_utils import Cluster

    # a CPU for each worker, and one for reading and writing
    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=2)
        yield cluster.address
    finally:
        cluster.shutdown()


def working(title: str) -> list[int]:
    """The processes with this title that have begun to load the model, as they do when they have texts in hand."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if title in (folder / "cmdline").read_text(errors="replace"):
                found += [int(folder.name)] * ("onnxruntime" in (folder / "maps").read_text(errors="replace"))
        except OSError:
            continue
    return found


def check_all_texts(results: Path) -> None:
    """Every text is there once with its entities, and the null with its reason."""
    import pyarrow.parquet as pq

    from edgener_runtime.bulk import BatchTagger

    rows = sorted(pq.read_table(results).to_pylist(), key=lambda row: row["id"])
    assert [row["id"] for row in rows] == list(range(TEXTS))
    assert rows[0]["entities"] is None and rows[0]["rejected"] == "null in place of a text"
    assert all(row["entities"] is not None and row["rejected"] is None for row in rows[1:])
    sample = rows[1:TEXTS:997]
    expected = BatchTagger(str(BUNDLE), variant=VARIANT).answers([row["text"] for row in sample])
    assert [[one["label"] for one in row["entities"]] for row in sample] == [
        [entity.label for entity in found] for found in expected
    ]


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds the worker in /proc")
def test_a_ray_worker_that_is_killed_costs_no_text(texts: Path, ray_address: str, tmp_path: Path) -> None:
    example = ROOT / "examples" / "bulk" / "ray_tag.py"
    results = tmp_path / "results"
    job = subprocess.Popen(
        [sys.executable, example, BUNDLE, texts, results, "--address", ray_address, "--variant", VARIANT],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    while not (workers := working(ACTOR)):
        assert job.poll() is None, job.communicate()
        time.sleep(0.02)
    os.kill(workers[0], signal.SIGKILL)
    out, _ = job.communicate(timeout=600)
    assert job.returncode == 0 and f"{TEXTS} rows" in out, out
    check_all_texts(results)


@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java, which is not here")
def test_spark_adds_the_entities(texts: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="no pyspark here: make test-cluster")
    example = ROOT / "examples" / "bulk" / "spark_tag.py"
    local = {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable, "MASTER": "local[2]"}
    done = subprocess.run(
        [sys.executable, example, BUNDLE, texts, tmp_path / "results", "--variant", VARIANT],
        env={**os.environ, **local}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and f"{TEXTS} rows" in done.stdout, done.stdout + done.stderr[-3000:]
    check_all_texts(tmp_path / "results")


def test_dask_adds_the_entities(texts: Path, tmp_path: Path) -> None:
    dataframe = pytest.importorskip("dask.dataframe", reason="no dask with pandas here: make test-cluster")
    from distributed import Client, LocalCluster

    from edgener_runtime.bulk import BatchTagger

    tagger = BatchTagger(str(BUNDLE), variant=VARIANT)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        frame = dataframe.read_parquet(texts)
        tagged = frame.map_partitions(tagger, meta=tagger(frame._meta)).compute()
    assert sorted(tagged["id"]) == list(range(TEXTS)) and tagged["rejected"].notna().sum() == 1
    assert all(
        isinstance(found, list) for number, found in zip(tagged["id"], tagged["entities"], strict=True) if number
    )
