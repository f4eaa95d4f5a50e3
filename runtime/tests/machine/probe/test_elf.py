"""What a library needs is read from its file; a file that is not a library needs nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgener_runtime.machine.probe.elf import needed_libraries

from .machines import elf, library

pytestmark = pytest.mark.compat


@pytest.mark.parametrize("names", [(), ("libc.so.6",), ("libcudart.so.13", "libnvinfer.so.10", "libc.so.6")])
def test_needed_libraries_are_reported_in_order(names: tuple[str, ...], tmp_path: Path) -> None:
    assert needed_libraries(library(tmp_path / "lib.so", *names)) == names


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ELF is Linux's")
def test_a_real_library_needs_the_c_library() -> None:
    import onnxruntime

    files = list((Path(onnxruntime.__file__).parent / "capi").glob("onnxruntime_pybind11_state*.so"))
    assert [any(name.startswith("libc.") for name in needed_libraries(file)) for file in files] == [True]


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x7fELF\x02\x01", b"\x7fELF\x01\x01" + bytes(200), elf("libc.so.6")[:150], bytes(5000)]
)
def test_a_file_that_is_not_a_library_needs_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "lib.so").write_bytes(content)
    assert needed_libraries(tmp_path / "lib.so") == ()


def test_a_file_that_is_not_there_needs_nothing(tmp_path: Path) -> None:
    assert needed_libraries(tmp_path / "lib.so") == needed_libraries(tmp_path) == ()


@given(st.integers(0, 300), st.binary(min_size=1, max_size=8))
def test_a_damaged_library_raises_nothing(tmp_path_factory: pytest.TempPathFactory, at: int, junk: bytes) -> None:
    whole = elf("libcudart.so.13", "libc.so.6")
    file = tmp_path_factory.getbasetemp() / "damaged.so"
    file.write_bytes(whole[:at] + junk + whole[at + len(junk) :])
    assert all(isinstance(name, str) for name in needed_libraries(file))
