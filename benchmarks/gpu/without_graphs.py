"""The worker of a row without CUDA graphs: the runtime as it is, but for that one option of onnxruntime's."""

from __future__ import annotations

from dataclasses import replace

from edgener_runtime.backends.onnxruntime.options import CUDA_OPTIONS, GRAPHS
from edgener_runtime.commissioning.bench.job import WorkerJob
from edgener_runtime.commissioning.bench.system_under_test import BundleVariant
from edgener_runtime.commissioning.bench.worker import main as work

SUFFIX = "-no-graphs"


class WithoutGraphs(BundleVariant):
    """The variant that the row is named after."""

    def __init__(self, job: WorkerJob) -> None:
        CUDA_OPTIONS.pop(GRAPHS, None)
        super().__init__(replace(job, variant=job.variant.removesuffix(SUFFIX)))


def main() -> int:
    """The worker's process: a job on stdin, events on stdout."""
    return work(WithoutGraphs)
