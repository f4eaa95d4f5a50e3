"""Signatures of a bundle: one file beside each file that is signed."""

from __future__ import annotations

from pathlib import Path

from edgener_runtime.base.files import write_atomic
from edgener_runtime.bundle.signatures.format import (
    SIGNED,
    Signature,
    canonical,
    encode_for_signing,
    signature_document,
    signature_name,
    statement,
)
from edgener_runtime.bundle.verify import verify_files
from edgener_runtime.errors import DeviceError

from .keys import Signer


def sign_bundle(bundle: Path, signer: Signer, name: str | None = None) -> tuple[Path, ...]:
    """Sign a whole bundle and return the signatures; `name` makes several signatures different files.

    Raises BundleError where the bundle is damaged, StorageError where it cannot be written.
    """
    verify_files(bundle)
    return tuple(_sign_file(bundle / signed, signer, name) for signed in SIGNED if (bundle / signed).exists())


def _sign_file(path: Path, signer: Signer, name: str | None) -> Path:
    payload = canonical(statement(path.name, path.read_bytes()))
    file = path.with_name(signature_name(path.name, name))
    signature = Signature(file, signer.key.fingerprint, payload, signer.sign(encode_for_signing(payload)))
    if not signer.key.verifies(signature):
        raise DeviceError(f"the private and the public key of {signer.key} are not a pair", "Name the key by its id.")
    write_atomic(file, signature_document(signature.fingerprint, payload, signature.proof))
    return file
