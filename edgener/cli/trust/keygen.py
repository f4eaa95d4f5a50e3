"""`edgener keygen`: a pair of keys to sign bundles with."""

from __future__ import annotations

from pathlib import Path

import click

from edgener_runtime.errors import UserInputError

from .password import read_password


@click.command()
@click.option(
    "--out",
    required=True,
    metavar="NAME",
    type=click.Path(path_type=Path),
    help="Names the files NAME.key and NAME.pub.",
)
def keygen(out: Path) -> None:
    """Make a pair of keys to sign bundles with (ECDSA on P-256).

    NAME.key is the private key, which only you can read; its password is asked for, or taken from
    EDGENER_KEY_PASSWORD. NAME.pub is for devices. Existing files are not replaced.

    \b
    Example:
      edgener keygen --out release
    """
    from edgener.bundle.keys import KeyFiles, write_keys

    files = KeyFiles.named(out)
    for file in (files.private, files.public):
        if file.exists():
            raise UserInputError(f"{file} exists, and a key is not replaced", "Name another file, or remove this one.")
    fingerprint = write_keys(files, read_password(str(files.private), confirm=True))
    click.echo(f"{files.private}: private key; keep it secret, and keep a copy")
    click.echo(f"{files.public}: public key for devices, fingerprint {fingerprint[:12]}")
