"""The keys of a repository's roles: files that begin with the name of their role, in folders or on sticks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgener_runtime.base.files import read_regular
from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from securesystemslib.signer import Key, Signer

ROLES = ("root", "targets", "snapshot", "timestamp")
PASSWORD = "EDGENER_KEY_PASSWORD"
_MOST_BYTES = 1 << 16
_HINT = f"Make one with edgener keygen; its password, if it has one, is read from {PASSWORD}."


@dataclass(frozen=True)
class Keyring:
    """The public keys of each role by id, and the signers of those whose private keys are at hand."""

    public: Mapping[str, Mapping[str, Key]]
    signers: Mapping[str, Signer]

    def signers_of(self, key_ids: Iterable[str]) -> list[Signer]:
        """The signers that are at hand, of these keys."""
        return [self.signers[key_id] for key_id in key_ids if key_id in self.signers]


def read_keyring(folders: Iterable[Path]) -> Keyring:
    """The keys in folders: ROLE*.key is a private key, ROLE*.pub the public key of one that may be kept elsewhere.

    Raises UserInputError where a folder has no keys, or a file is not a key on the curve P-256.
    """
    from securesystemslib.signer import CryptoSigner, SSlibKey

    public: dict[str, dict[str, Key]] = {role: {} for role in ROLES}
    signers: dict[str, Signer] = {}
    for role, path in _key_files(folders):
        private = _private_key(path) if path.suffix == ".key" else None
        named = SSlibKey.from_crypto(private.public_key() if private else _public_key(path))
        public[role][named.keyid] = named
        if private is not None:
            signers[named.keyid] = CryptoSigner(private, named)
    return Keyring(public, signers)


def _key_files(folders: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        try:
            files = sorted(path for path in folder.iterdir() if path.suffix in (".key", ".pub"))
        except OSError as error:
            raise UserInputError(f"cannot read {folder}: {error.strerror}", "Name a folder of keys.") from None
        found = [(role, path) for path in files for role in ROLES if path.name.startswith(role)]
        if not found:
            names = ", ".join(f"{role}.key" for role in ROLES)
            raise UserInputError(f"{folder} has no keys of a repository", f"It may have {names}, and .pub for each.")
        yield from found


def _private_key(path: Path) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    password = os.environ.get(PASSWORD)
    data = _read(path)
    try:
        encrypted = b"ENCRYPTED" in data.partition(b"\n")[0]
        key = load_pem_private_key(data, password.encode() if encrypted and password else None)
    except (ValueError, TypeError):  # the library's own text may quote what it read
        raise UserInputError(f"{path} is not a private key, or its password is another one", _HINT) from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise UserInputError(f"{path} is not a key on the curve P-256", _HINT)
    return key


def _public_key(path: Path) -> EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, TypeError):
        raise UserInputError(f"{path} is not a public key", _HINT) from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise UserInputError(f"{path} is not a key on the curve P-256", _HINT)
    return key


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise UserInputError(f"cannot read {path}: {error.strerror}", _HINT) from None
    except ValueError as error:
        raise UserInputError(f"{path}: {error}", _HINT) from None
