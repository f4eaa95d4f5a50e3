"""`edgener build-engine`: a TensorRT engine of a bundle's variant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener_runtime.bundle.verify import verify_files
from edgener_runtime.commissioning.cli.engines import (
    ShapeOptions,
    build_all,
    chosen_variants,
    engine_options,
    print_engines,
    profiles_of,
)

if TYPE_CHECKING:
    from edgener_runtime.commissioning.engines.build import BuildRequest


@click.command("build-engine")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--device", type=click.Choice(("tensorrt",)), help="Build for the GPU of this machine (the default).")
@click.option(
    "--variant",
    default="auto",
    show_default=True,
    help="Variant of the bundle; auto; or all that fit.",
)
@engine_options
@click.option("--verbose", is_flag=True, help="Show TensorRT's warnings.")
@click.option("--json", "as_json", is_flag=True, help="Print what was built as JSON.")
def build_engine(
    bundle: Path,
    device: str | None,
    variant: str,
    shapes: ShapeOptions,
    request: BuildRequest,
    verbose: bool,
    as_json: bool,
) -> None:
    """Build a TensorRT engine of a bundle's variant.

    The variant is fp32, fp16 or int8-qdq, and the GPU is that of this machine or another one. The graph is linted
    first: an error names the node that TensorRT would refuse, and the fix. Engine and sidecar are written beside the
    bundle, as BUNDLE.engines/VARIANT.engine. There are no --fp16 or --int8: the precision is the variant's. A device
    builds its own engine with edgener-runtime prepare. Exit 6 without a GPU or without TensorRT.

    TensorRT for RTX has parsed and built such engines without a GPU; they have not been run on a device yet.

    \b
    Examples:
      edgener build-engine out/bundle --variant fp16
      edgener build-engine out/bundle --backend tensorrt-rtx --compute-capability 8.6
      edgener build-engine out/bundle --minShapes input_ids:1x1,attention_mask:1x1,token_type_ids:1x1 \\
          --optShapes 1x32 --maxShapes 8x128
    """
    if device and request.compute_capabilities:
        raise click.UsageError("--device names the GPU of this machine, --compute-capability another one")
    from edgener_exporters.tensorrt import build_linted_engine

    manifest = verify_files(bundle)
    entries = chosen_variants(manifest, variant)
    profiles = profiles_of(bundle, manifest, shapes)
    print_engines(bundle, build_all(bundle, entries, profiles, request, verbose, build_linted_engine), as_json)
