"""`edgener-runtime verify`."""

from __future__ import annotations

from pathlib import Path

import click

from edgener_runtime.base.printable import escaped

from .console import write_line
from .options import require_signature_option


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@require_signature_option
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def verify(bundle: Path, require_signature: Path | None, as_json: bool) -> None:
    """Check that every file of BUNDLE is there and unchanged.

    Exit 5: a file is missing, changed, not listed, or does not fit the manifest, or the required signature is missing.

    \b
    Examples:
      edgener-runtime verify out/bundle
      edgener-runtime verify out/bundle --require-signature release.pub
    """
    from edgener_runtime.bundle.verify import entries_here, verify_bundle
    from edgener_runtime.text.tokenize import TextTokenizer

    manifest = verify_bundle(bundle, require_signature)
    TextTokenizer(bundle / manifest.tokenizer.file, manifest.tokenizer)  # raises where no text can be divided
    if as_json:
        write_line(escaped(manifest.to_json().rstrip("\n")))
        return
    for variant in manifest.variants:
        write_line(f"{variant.name}\t{variant.precision}\t{variant.file.size / 1e6:.1f} MB\t{variant.file.sha256[:12]}")
    write_line(f"{bundle}: {len(entries_here(bundle, manifest))} files, all as in the manifest")
