"""Keys that sign bundles: ECDSA on P-256, in a file that only its owner reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener_runtime.base.files import read_regular, storage_errors, sync
from edgener_runtime.bundle.signatures.keys import PublicKey, pem_of, public_key
from edgener_runtime.errors import UserInputError
from edgener_runtime.services.secret_file import check_secret_file

from .pkcs11 import SCHEME, open_token_key, parse_uri

_MOST_BYTES = 1 << 16  # of a key's file


@dataclass(frozen=True)
class KeyFiles:
    """The files of a pair of keys."""

    private: Path
    public: Path

    @classmethod
    def named(cls, name: Path) -> KeyFiles:
        """NAME.key and NAME.pub."""
        return cls(name.with_name(f"{name.name}.key"), name.with_name(f"{name.name}.pub"))


@dataclass(frozen=True)
class Signer:
    """What signs: the public key, and the function that signs bytes with SHA-256 (ASN.1 DER)."""

    key: PublicKey
    sign: Callable[[bytes], bytes]


def write_keys(files: KeyFiles, password: str) -> str:
    """Make a pair of keys and return its fingerprint; an empty password leaves the private key unencrypted.

    Raises StorageError where a file is there or cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    encryption: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password.encode("utf-8")) if password else serialization.NoEncryption()
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    _write_new(files.private, private, 0o600)
    _write_new(files.public, pem_of(key.public_key()), 0o644)
    return public_key(files.public, key.public_key()).fingerprint


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is not there yet, never with more permissions than `mode`."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
            file.flush()
        sync(path)
        sync(path.parent)


@contextmanager
def open_signer(key: str, password: Callable[[], str]) -> Iterator[Signer]:
    """The signer of a private key's file or of a PKCS #11 URI; a password is asked for only if there is one.

    Raises UserInputError where the key cannot be read, is of another kind, or others may change its file, and
    DeviceError where a token is missing.
    """
    if key.startswith(SCHEME):
        with open_token_key(parse_uri(key), password) as (public, sign):
            yield Signer(public, sign)
    else:
        yield _signer_of_file(Path(key), password)


def _signer_of_file(path: Path, password: Callable[[], str]) -> Signer:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    key = _load_private_key(path, password)
    public = public_key(path, key.public_key())  # raises for another kind
    return Signer(public, lambda data: key.sign(data, ec.ECDSA(SHA256())))


def _load_private_key(path: Path, password: Callable[[], str]) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    check_secret_file(path)
    try:
        data = read_regular(path, _MOST_BYTES)
        try:
            return load_pem_private_key(data, None)
        except TypeError:  # it is encrypted
            return load_pem_private_key(data, password().encode("utf-8"))
    except OSError as error:
        raise UserInputError(f"cannot read {path}: {error.strerror}", "Make a key: edgener keygen --out NAME") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # the library's own text may quote what it read
        raise UserInputError(
            f"{path} is not a private key in PEM form, or the password is wrong",
            "Give NAME.key of edgener keygen, and its password in EDGENER_KEY_PASSWORD.",
        ) from None
