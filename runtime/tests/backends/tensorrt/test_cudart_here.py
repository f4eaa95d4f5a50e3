"""CUDA's own runtime on a GPU of this machine: memory, streams and graphs; skipped where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from edgener_runtime.backends.tensorrt.buffers import Buffer
from edgener_runtime.backends.tensorrt.cudart import CopyKind, Cudart, load_cudart
from edgener_runtime.backends.tensorrt.graphs import capture
from edgener_runtime.errors import DeviceError, EdgenerError, ProviderError
from edgener_runtime.machine.probe.cuda import cuda_driver

pytestmark = pytest.mark.gpu
NUMBERS = 1000


@pytest.fixture(scope="module")
def cudart() -> Cudart:
    if why := cuda_driver().why:
        pytest.skip(f"no GPU: {why}")
    try:
        return load_cudart()
    except ProviderError as error:
        pytest.skip(error.message)


def numbers(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-(2**31), 2**31, NUMBERS, dtype=np.int64)


def test_what_was_copied_there_comes_back(cudart: Cudart) -> None:
    stream = cudart.make_stream()
    with Buffer(cudart, "int64", NUMBERS) as buffer:
        buffer.view((NUMBERS,))[:] = numbers(0)
        buffer.to_device(NUMBERS, stream)
        cudart.synchronise(stream)
        buffer.view((NUMBERS,))[:] = 0
        buffer.to_host(NUMBERS - 1, stream)
        cudart.synchronise(stream)
        assert (buffer.view((NUMBERS,)) == [*numbers(0)[:-1], 0]).all()
    cudart.destroy_stream(stream)


def test_a_graph_is_done_at_each_launch_and_not_when_it_is_captured(cudart: Cudart) -> None:
    stream = cudart.make_stream()
    with Buffer(cudart, "int64", NUMBERS) as source, Buffer(cudart, "int64", NUMBERS) as there:

        def enqueue() -> None:
            source.to_device(NUMBERS, stream)
            cudart.copy(there._host, source.device, NUMBERS * 8, CopyKind.TO_HOST, stream)

        there.view((NUMBERS,))[:] = 0
        graph = capture(cudart, stream, enqueue)
        cudart.synchronise(stream)
        assert not there.view((NUMBERS,)).any()
        for seed in (1, 2):
            source.view((NUMBERS,))[:] = numbers(seed)
            graph.launch(stream)
            cudart.synchronise(stream)
            assert (there.view((NUMBERS,)) == numbers(seed)).all()
        graph.close()
    cudart.destroy_stream(stream)


def test_a_capture_that_fails_leaves_the_stream_usable(cudart: Cudart) -> None:
    stream = cudart.make_stream()

    def enqueue() -> None:
        cudart.synchronise(stream)  # not allowed while a stream is captured

    with pytest.raises(EdgenerError, match="cudaStreamSynchronize failed: cudaErrorStreamCapture"):
        capture(cudart, stream, enqueue)
    with Buffer(cudart, "int64", NUMBERS) as buffer:
        buffer.to_device(NUMBERS, stream)
        cudart.synchronise(stream)
    cudart.destroy_stream(stream)


def test_more_memory_than_there_is_is_refused_and_nothing_is_lost_by_it(cudart: Cudart) -> None:
    with pytest.raises(DeviceError, match="cudaMalloc failed: cudaErrorMemoryAllocation") as raised:
        cudart.allocate(1 << 50)
    assert raised.value.hint and "GPU memory" in raised.value.hint
    cudart.free(cudart.allocate(1 << 20))


def test_a_wrong_address_is_reported_by_cuda_s_own_name_for_it(cudart: Cudart) -> None:
    with pytest.raises(DeviceError, match="cudaFree failed: cudaErrorInvalidValue"):
        cudart.free(12345)
