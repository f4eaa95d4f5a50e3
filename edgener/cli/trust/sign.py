"""`edgener sign`: the signature of a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from edgener_runtime.errors import UserInputError

from .password import read_password


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--key", required=True, help="Private key: a PEM file, or the PKCS #11 URI of a token's key.")
@click.option("--name", help="Name of the signature, such as release, where a bundle gets several.")
def sign(bundle: Path, key: str, name: str | None) -> None:
    """Sign BUNDLE, after a check of all its files.

    The signature is a file beside the manifest, whose digests cover all other files: manifest.json.sig, or
    manifest.json.NAME.sig. The key's password, or the token's PIN, is asked for or taken from EDGENER_KEY_PASSWORD.

    \b
    Examples:
      edgener sign out/bundle --key release.key
      edgener sign out/bundle --key factory.key --name factory
      edgener sign out/bundle --key "pkcs11:token=plant;object=release?module-path=/usr/lib/softhsm/libsofthsm2.so"
    """
    from edgener.bundle.keys import open_signer
    from edgener.bundle.sign import sign_bundle
    from edgener_runtime.bundle.signatures.format import SIGNER

    if name is not None and not SIGNER.fullmatch(name):
        raise UserInputError(
            f"--name {name!r} does not fit a file's name",
            "Use at most 32 of the letters a to z, digits, _ and -, beginning with a letter or digit.",
        )
    with open_signer(key, lambda: read_password(key)) as signer:
        for file in sign_bundle(bundle, signer, name):
            click.echo(f"{file}: by the key with the fingerprint {signer.key.fingerprint[:12]}")
