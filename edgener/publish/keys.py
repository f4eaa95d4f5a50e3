"""The keys of a repository's roles: files of edgener keygen that begin with the name of their role."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgener.bundle.keys import Signer, open_signer
from edgener_runtime.bundle.signatures.keys import PublicKey, read_public_keys
from edgener_runtime.errors import UserInputError

if TYPE_CHECKING:
    from securesystemslib.signer import Key, Signature

ROLES = ("root", "targets", "snapshot", "timestamp")
Password = Callable[[str], str]
"""Asks for the password of the key of that name."""


@dataclass(frozen=True)
class RoleSigner:
    """What signs for a role: TUF's id of the public key, and the key."""

    key_id: str
    signer: Signer

    def sign(self, data: bytes) -> Signature:
        """The signature of metadata; python-tuf takes this class as a signer."""
        from securesystemslib.signer import Signature

        return Signature(self.key_id, self.signer.sign(data).hex())


@dataclass(frozen=True)
class Keyring:
    """The public keys of each role by TUF's id, and the signers of those whose private keys are at hand."""

    public: Mapping[str, Mapping[str, Key]]
    signers: Mapping[str, RoleSigner]

    def signers_of(self, key_ids: Iterable[str]) -> list[RoleSigner]:
        """The signers that are at hand, of these keys."""
        return [self.signers[key_id] for key_id in key_ids if key_id in self.signers]


def read_keyring(folders: Iterable[Path], password: Password) -> Keyring:
    """The keys in folders: ROLE*.key is a private key, ROLE*.pub the public key of one that may be kept elsewhere.

    Raises UserInputError where a folder has no keys, or a file is not a key on the curve P-256.
    """
    public: dict[str, dict[str, Key]] = {role: {} for role in ROLES}
    signers: dict[str, RoleSigner] = {}
    for role, path in _key_files(folders):
        if path.suffix == ".key":
            with open_signer(str(path), partial(password, str(path))) as signer:  # a file is not kept open
                named = _named(signer.key)
                signers[named.keyid] = RoleSigner(named.keyid, signer)
                public[role][named.keyid] = named
        else:
            public[role] |= {named.keyid: named for named in map(_named, read_public_keys(path))}
    return Keyring(public, signers)


def _named(key: PublicKey) -> Key:
    from securesystemslib.signer import SSlibKey

    return SSlibKey.from_crypto(key.key)


def _key_files(folders: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        try:
            files = sorted(path for path in folder.iterdir() if path.suffix in (".key", ".pub"))
        except OSError as error:
            raise UserInputError(f"cannot read {folder}: {error.strerror}", "Name a folder of keys.") from None
        found = [(role, path) for path in files for role in ROLES if path.name.startswith(role)]
        if not found:
            raise UserInputError(
                f"{folder} has no key of a role ({', '.join(ROLES)})",
                f"Make one for each: edgener keygen --out {folder}/root",
            )
        yield from found
