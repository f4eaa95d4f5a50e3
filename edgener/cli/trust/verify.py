"""`edgener verify`: a bundle and its signatures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgener_runtime.base.printable import escaped


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--key", type=click.Path(path_type=Path), help="Public keys (PEM) or a policy that the signatures must fulfil."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(bundle: Path, key: Path | None, as_json: bool) -> None:
    """Check the files and the signatures of BUNDLE.

    Exit 5: a file is missing, changed or not listed, or the bundle is not signed by the keys that were given.

    \b
    Example:
      edgener verify out/bundle --key release.pub
    """
    from edgener_runtime.bundle.signatures import required_policy
    from edgener_runtime.bundle.signatures.format import SIGNED, read_signature, signature_files
    from edgener_runtime.bundle.verify import entries_here, verify_bundle

    manifest = verify_bundle(bundle, key)
    policy = required_policy(key)
    known = {each.fingerprint for role in policy.roles for each in role.keys} if policy else set()
    signatures: list[dict[str, Any]] = [
        {"file": path.name, "fingerprint": fingerprint, "verified": fingerprint in known}
        for name in SIGNED
        for path in signature_files(bundle, name)
        for fingerprint in [read_signature(path).fingerprint]
    ]
    files = len(entries_here(bundle, manifest))
    if as_json:
        result = {"bundle": str(bundle), "model": manifest.name, "files": files, "signatures": signatures}
        click.echo(escaped(json.dumps(result, indent=2, ensure_ascii=False)))
        return
    for each in signatures:
        verdict = "verified" if each["verified"] else "not verified: the key was not given"
        click.echo(f"{each['file']}: by {each['fingerprint'][:12]}, {verdict}")
    if not signatures:
        click.echo("not signed; sign it with: edgener sign BUNDLE --key KEY")
    click.echo(f"{bundle}: {files} files, all as in the manifest")
