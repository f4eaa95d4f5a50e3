"""TensorRT engines on the build side: the graph is linted, then built as on a device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgener_exporters.graph.lint import check_for_tensorrt
from edgener_runtime.backends.tensorrt.profiles import Profile
from edgener_runtime.backends.tensorrt.sidecar import Sidecar
from edgener_runtime.base.process import Follow
from edgener_runtime.bundle.manifest import VariantEntry
from edgener_runtime.commissioning.engines.build import BuildRequest, build_engine, check_variant, ignore


def build_linted_engine(
    bundle: Path, entry: VariantEntry, profiles: Sequence[Profile], request: BuildRequest, follow: Follow = ignore
) -> Sidecar:
    """`edgener_runtime.commissioning.engines.build.build_engine` of a graph that passes the lint.

    Raises ExportError with the node that TensorRT would refuse and the fix, and the errors of that function.
    """
    import onnx

    check_variant(entry)
    check_for_tensorrt(onnx.load(bundle / entry.file.path, load_external_data=False))
    return build_engine(bundle, entry, profiles, request, follow)
