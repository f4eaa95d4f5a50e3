"""Public keys: ECDSA on the curve P-256 with SHA-256, and no other, in PEM files."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgener_runtime.base.files import read_regular
from edgener_runtime.base.install import install_line
from edgener_runtime.errors import DeviceError, UserInputError

from .format import Signature, encode_for_signing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

MOST_BYTES = 1 << 16  # of a file of keys
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_HINT = "Give the public key that edgener keygen wrote, NAME.pub."


@dataclass(frozen=True)
class PublicKey:
    """A key that verifies signatures; the fingerprint is SHA-256 of its PEM form, as model-signing has it."""

    path: Path
    fingerprint: str
    key: EllipticCurvePublicKey

    def __str__(self) -> str:
        return f"{self.path} ({self.fingerprint[:12]})"

    def verifies(self, signature: Signature) -> bool:
        """Whether this key's owner signed the statement of a signature."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self.key.verify(signature.proof, encode_for_signing(signature.payload), ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


def require_cryptography() -> None:
    """Raises DeviceError with the command that installs it where the library that verifies is missing."""
    try:
        import cryptography.hazmat.primitives.asymmetric.ec  # noqa: F401
    except ImportError as error:
        raise DeviceError(
            f"signatures are required, and the library that verifies them cannot be loaded: {error}",
            install_line("trust"),
        ) from None


def read_public_keys(path: Path) -> tuple[PublicKey, ...]:
    """The public keys of a PEM file. Raises UserInputError where it has none, or one of another kind."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    blocks = list(_BLOCK.finditer(read_trusted(path)))
    if not blocks:
        raise UserInputError(f"{path} has no public key in PEM form", _HINT)
    found = []
    for block in blocks:
        if block[1] != b"PUBLIC KEY":
            raise UserInputError(f"{path} has a {block[1].decode()}, expected a PUBLIC KEY", _HINT)
        try:
            found.append(public_key(path, load_pem_public_key(block[0])))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UserInputError(f"{path} has a public key that cannot be read: {error}", _HINT) from None
    return tuple(found)


def public_key(path: Path, key: Any) -> PublicKey:
    """A key of the library as ours. Raises UserInputError for another kind than ECDSA P-256."""
    from cryptography.hazmat.primitives.asymmetric import ec

    if not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)):
        kind = type(key).__name__.removesuffix("PublicKey")
        name = f"an elliptic curve key of {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else kind
        raise UserInputError(f"{path} is {name}, expected an ECDSA key on P-256", "Make one: edgener keygen --out NAME")
    return PublicKey(path, hashlib.sha256(pem_of(key)).hexdigest(), key)


def pem_of(key: EllipticCurvePublicKey) -> bytes:
    """The PEM form of a public key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_trusted(path: Path) -> bytes:
    """The bytes of a file of keys or a policy. Raises UserInputError where it cannot be read."""
    try:
        return read_regular(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserInputError(f"cannot read {path}: {reason}", "Name a PEM file of public keys, or a policy.") from None
