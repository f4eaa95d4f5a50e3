"""Those who sign bundles, with keys of their own; needs the library cryptography."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edgener_runtime.bundle.manifest import MANIFEST
from edgener_runtime.bundle.signatures.format import (
    canonical,
    encode_for_signing,
    signature_document,
    signature_name,
    statement,
)
from edgener_runtime.bundle.signatures.keys import public_key


class Owner:
    """Someone with a key."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pub"
        self.file.write_bytes(self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        self.fingerprint = public_key(self.file, self.key.public_key()).fingerprint

    def sign(self, bundle: Path, signed: str = MANIFEST, *, as_name: str | None = None, **other: Any) -> Path:
        """Sign one file; `other` has a payload, a hash or a fingerprint in place of the right one."""
        payload = other.get("payload") or canonical(statement(signed, (bundle / signed).read_bytes()))
        proof = self.key.sign(encode_for_signing(payload), ec.ECDSA(other.get("hash", SHA256())))
        file = bundle / signature_name(signed, as_name)
        file.write_bytes(signature_document(other.get("fingerprint", self.fingerprint), payload, proof))
        return file
