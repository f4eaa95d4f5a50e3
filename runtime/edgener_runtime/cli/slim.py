"""`edgener-runtime slim`."""

from __future__ import annotations

from pathlib import Path

import click

from .console import write_line


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--variant", required=True, help="Name of the variant to keep.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write.")
def slim(bundle: Path, variant: str, out: Path) -> None:
    """Write the smallest bundle that runs one variant of BUNDLE.

    It has no reports and no other variants, except one that runs without
    edgener-ops where the variant needs that package. Its files are those of
    BUNDLE, unchanged: a signature of BUNDLE is one of the new bundle too.

    \b
    Example:
      edgener-runtime slim out/bundle --variant int8-dynamic --out out/slim
    """
    from edgener_runtime.bundle import slim as slimming

    manifest = slimming.slim(bundle, variant, out)
    for entry in manifest.variants:
        write_line(f"{entry.name}\t{entry.file.size / 1e6:.1f} MB")
    sizes = [sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) for folder in (bundle, out)]
    write_line(f"{out}: {sizes[1] / 1e6:.1f} MB of {sizes[0] / 1e6:.1f} MB")
