"""`edgener-runtime prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgener_runtime.machine.devices import device_named, engine_devices

from .engines import ShapeOptions, engine_options

if TYPE_CHECKING:
    from edgener_runtime.backends.tensorrt.session import Warmed
    from edgener_runtime.bundle.manifest import VariantEntry
    from edgener_runtime.commissioning.engines.build import BuildRequest


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--device",
    type=click.Choice(engine_devices()),
    default="tensorrt",
    show_default=True,
    help="Where the engine will run.",
)
@click.option("--variant", default="auto", show_default=True, help="Variant of the bundle; auto, or all that fit.")
@engine_options
@click.option("--verbose", is_flag=True, help="Show TensorRT's warnings.")
@click.option("--json", "as_json", is_flag=True, help="Print the engines as JSON.")
def prepare(
    bundle: Path, device: str, variant: str, shapes: ShapeOptions, request: BuildRequest, verbose: bool, as_json: bool
) -> None:
    """Build BUNDLE's TensorRT engine on this device.

    Each of its shapes runs once, so that nothing is built in production. Engine and sidecar are written beside the
    bundle, as BUNDLE.engines/VARIANT.engine. An engine belongs to one GPU, one TensorRT and one model: any other
    refuses it, and names this command. Exit 6 without a GPU or TensorRT. Building has been tried with TensorRT for RTX
    on machines without a GPU; it was not run on a device yet.

    \b
    Examples:
      edgener-runtime prepare out/bundle
      edgener-runtime prepare out/bundle --variant fp16 --input orders.txt --batch 16 --workspace 512M
      edgener-runtime prepare out/bundle --min-shapes 1x1 --opt-shapes 1x32 --max-shapes 1x128
    """
    from edgener_runtime.backends.choose import require
    from edgener_runtime.bundle.verify import verify_bundle

    from .engines import build_all, chosen_variants, print_engines, profiles_of

    manifest = verify_bundle(bundle)
    entries = chosen_variants(manifest, variant)
    profiles = profiles_of(bundle, manifest, shapes)
    if device_named(device).stands_for:
        require(device_named(device))
    built = build_all(bundle, entries, profiles, request, verbose)
    runs_here = not request.compute_capabilities and not request.options.strip_weights
    here = entries if runs_here else ()
    print_engines(bundle, built, as_json, {entry.name: _warmed(bundle, entry) for entry in here})


def _warmed(bundle: Path, entry: VariantEntry) -> tuple[Warmed, ...]:
    """Run every shape once, to find a fault of the engine now and not in production."""
    from edgener_runtime.backends.tensorrt.session import warm_up

    return warm_up(bundle, entry)
