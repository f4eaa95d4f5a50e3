"""Synthetic machines: libraries as files that name what they need, and packages as folders that pip would have left."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

_HEADER, _PART = 64, 56
_BASE = 0x10000  # where the loader would put the file, so that addresses and offsets differ


def elf(*needed: str) -> bytes:
    """A 64-bit ELF library that asks for these, with what the loader reads and nothing else."""
    strings, offsets = b"\0", []
    for name in needed:
        offsets.append(len(strings))
        strings += name.encode() + b"\0"
    dynamic = _HEADER + 2 * _PART
    table = dynamic + 16 * (len(needed) + 2)
    entries = [*((1, offset) for offset in offsets), (5, _BASE + table), (0, 0)]
    size = table + len(strings)
    return b"".join(
        [
            struct.pack("<16s2HI3QI6H", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, _HEADER, 0, 0, _HEADER, _PART, 2, 0, 0, 0),
            struct.pack("<2I6Q", 1, 4, 0, _BASE, _BASE, size, size, 4096),
            struct.pack("<2I6Q", 2, 4, dynamic, _BASE + dynamic, 0, table - dynamic, table - dynamic, 8),
            *(struct.pack("<qQ", tag, value) for tag, value in entries),
            strings,
        ]
    )


def library(file: Path, *needed: str) -> Path:
    """A library's file, which needs these."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(elf(*needed))
    return file


def distribution(site: Path, name: str, version: str, files: Iterable[str] = (), top_level: str | None = None) -> None:
    """A package as pip leaves it: its files, and a record of them."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    if top_level is not None:
        (info / "top_level.txt").write_text(f"{top_level}\n")
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).touch()


def onnxruntime(site: Path, name: str = "onnxruntime", version: str = "1.32.0") -> None:
    """An onnxruntime of this name."""
    distribution(site, name, version, ["onnxruntime/__init__.py"], "onnxruntime")


# What the providers of onnxruntime-gpu 1.31.1 ask the loader for, read from its wheel.
CUDA_13 = ("libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10", "libcudart.so.13")
TENSORRT_10 = ("libcublas.so.13", "libnvinfer.so.10", "libnvonnxparser.so.10", "libcudart.so.13", "libcudnn.so.9")


def onnxruntime_gpu(site: Path, version: str = "1.31.1", needs: Iterable[str] = CUDA_13) -> None:
    """An onnxruntime-gpu with its two providers."""
    onnxruntime(site, "onnxruntime-gpu", version)
    capi = site / "onnxruntime" / "capi"
    library(capi / "libonnxruntime_providers_cuda.so", "libc.so.6", *needs)
    library(capi / "libonnxruntime_providers_tensorrt.so", *TENSORRT_10, "libc.so.6")


def tensorrt(site: Path, major: int = 10, module: str = "tensorrt") -> None:
    """TensorRT's bindings."""
    library(site / module / f"{module}.so", f"libnvinfer.so.{major}", f"libnvonnxparser.so.{major}", "libc.so.6")


def libraries(folder: Path, *names: str) -> None:
    """Libraries that need nothing."""
    for name in names:
        library(folder / name)
