"""onnxruntime and edgener-ops on a CPU with AVX-512 as on one without it.

No release of onnxruntime can be told which instructions to use. It asks the CPU (cpuid) what it has, and the operating
system (xgetbv) which registers it keeps: AVX-512 is used only where both answer so, by edgener-ops as well. Copies of
the two libraries in which xgetbv answers "those of SSE and AVX" therefore choose, by their own code, the kernels that
they have for AVX2, and run them at this CPU's full speed. A product of onnxruntime whose sums are right with VNNI and
saturate with AVX2 shows that it worked.

AVX-VNNI needs no register of its own, so it cannot be hidden in this way. A CPU without AVX-512 may do other things at
another speed than this one.
"""

from __future__ import annotations

import re
import shutil
from importlib import import_module
from pathlib import Path

from edgener_runtime.errors import DeviceError

from .process import measured
from .worker import Job

# xgetbv after `xor ecx, ecx`, or before `mov eax, eax; shl rdx, 32`; the bytes alone also occur within instructions
_XGETBV = re.compile(rb"(?<=\x31\xc9)\x0f\x01\xd0|\x0f\x01\xd0(?=\x89\xc0\x48\xc1\xe2\x20)")
_SSE_AND_AVX = b"\x6a\x07\x58"  # push 7; pop rax
_NOT_RUN = ("__pycache__", "libonnxruntime.so*", "tools", "transformers", "quantization", "datasets")
EXACT = 64 * 255 * 127  # the sum of the product that saturates in 16 bits


def restricted(folder: Path) -> list[str]:
    """Copies of both packages below `folder`, without AVX-512; the instruction sets that the operators have there.

    Raises DeviceError where they are not what an AVX2 CPU would run.
    """
    for name in ("onnxruntime", "edgener_ops"):
        source = Path(str(import_module(name).__file__)).parent
        shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(*_NOT_RUN))
        if not sum(_without_avx512(file) for file in (folder / name).rglob("*.so")):
            raise DeviceError(f"{name} does not ask for the registers of AVX-512 in a known way: AVX2 is not measured")
    found = measured(Job("product", str(_largest_product(folder)), cores=1), [folder])
    if found["sum"] == EXACT:
        raise DeviceError("onnxruntime does not saturate, so it is not restricted to AVX2; this CPU may have AVX-VNNI")
    if found["operators"] != ["avx2"]:
        raise DeviceError(f"the operators still have {', '.join(found['operators'])}: AVX2 is not measured")
    return list(found["operators"])


def _without_avx512(library: Path) -> int:
    """Rewrite a shared library; how often it asked."""
    changed, count = _XGETBV.subn(_SSE_AND_AVX, library.read_bytes())
    library.write_bytes(changed)
    return count


def _largest_product(folder: Path) -> Path:
    """A graph that multiplies rows of 64 in U8 by the largest weights."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.full((64, 32), 127, dtype=np.int8), "weights")
    rows, sums = (
        helper.make_tensor_value_info(name, kind, ["rows", width])
        for name, kind, width in (("rows", TensorProto.UINT8, 64), ("sums", TensorProto.INT32, 32))
    )
    node = helper.make_node("MatMulInteger", ["rows", "weights"], ["sums"])
    graph = helper.make_graph([node], "largest_product", [rows], [sums], [weights])
    file = folder / "product.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9), file)
    return file
