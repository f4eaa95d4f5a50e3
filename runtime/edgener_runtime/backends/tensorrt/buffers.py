"""Memory of a session's inputs and outputs, each pinned on the host and allocated on the device."""

from __future__ import annotations

import ctypes
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from .cudart import CopyKind, Cudart

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Buffer:
    """The memory of a tensor's largest shape; a context manager that frees it, also where only half was allocated."""

    def __init__(self, cudart: Cudart, dtype: str, numbers: int) -> None:
        import numpy as np

        self.dtype = np.dtype(dtype)
        self.numbers = numbers
        self._cudart = cudart
        size = max(1, numbers * self.dtype.itemsize)
        with ExitStack() as stack:
            self.device = cudart.allocate(size)
            stack.callback(cudart.free, self.device)
            self._host = cudart.allocate_pinned(size)
            stack.callback(cudart.free_pinned, self._host)
            self._stack = stack.pop_all()

    def __enter__(self) -> Buffer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def view(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The pinned memory as an array, which must not be used after the buffer is freed."""
        import numpy as np

        count = int(np.prod(shape))
        memory: Any = (ctypes.c_char * (count * self.dtype.itemsize)).from_address(self._host)
        array: NDArray[Any] = np.frombuffer(memory, self.dtype, count)
        return array.reshape(shape)

    def to_device(self, count: int, stream: int) -> None:
        """Enqueue the copy of the first `count` numbers to the device on a stream."""
        self._cudart.copy(self.device, self._host, count * self.dtype.itemsize, CopyKind.TO_DEVICE, stream)

    def to_host(self, count: int, stream: int) -> None:
        """Enqueue the copy of the first `count` numbers to the host on a stream."""
        self._cudart.copy(self._host, self.device, count * self.dtype.itemsize, CopyKind.TO_HOST, stream)
