"""The policy of a device: who must have signed a bundle before it is used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgener_runtime.base.serde import SchemaError, from_data, parse_strictly
from edgener_runtime.errors import UserInputError

from .keys import PublicKey, read_public_keys, read_trusted, require_cryptography

DEVICE_POLICY = Path("/etc/edgener/policy.json")
"""Where it is there, every bundle that this device loads must fulfil it, whatever the options of a command are."""
SCHEMA_VERSION = 1
_HINT = "See docs/how-to/sign.md for the fields of a policy."


@dataclass(frozen=True)
class PolicyFile:
    """A policy as its file has it.

    `signatures` are roles, such as release and factory, each with files of public keys relative to the policy's folder;
    `models` are the names that a bundle may have, where not all may be used here.
    """

    signatures: dict[str, tuple[str, ...]]
    models: tuple[str, ...] | None = None
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class Role:
    """One signature that a bundle must have: by any of the keys."""

    name: str
    keys: tuple[PublicKey, ...]


@dataclass(frozen=True)
class Policy:
    """The roles that must all have signed a bundle, and for each policy the names that a bundle may have."""

    roles: tuple[Role, ...]
    models: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def read(cls, path: Path) -> Policy:
        """The policy of a file: JSON, or public keys in PEM form of which any one is enough.

        Raises UserInputError for a file that requires nothing or cannot be read, and DeviceError where the library that
        verifies is missing.
        """
        require_cryptography()
        data = read_trusted(path)
        if not data.lstrip().startswith(b"{"):
            return cls((Role("an accepted key", read_public_keys(path)),))
        found = _parsed(path, data)
        roles = tuple(Role(name, _keys_of(path, name, files)) for name, files in found.signatures.items())
        _require_distinct(path, roles)
        return cls(roles, (found.models,) if found.models else ())


def required_policy(option: Path | None = None) -> Policy | None:
    """What a bundle must fulfil here: the policy of the option and that of the device. None where there is neither."""
    files = [path for path in (option, _device_policy()) if path]
    policies = [Policy.read(path) for path in files]
    if not policies:
        return None
    roles = tuple(role for policy in policies for role in policy.roles)
    return Policy(roles, tuple(names for policy in policies for names in policy.models))


def _device_policy() -> Path | None:
    """The device's policy; one that is there and cannot be read is one."""
    try:
        DEVICE_POLICY.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # a folder that may not be searched: reading fails with the reason
    return DEVICE_POLICY


def _parsed(path: Path, data: bytes) -> PolicyFile:
    try:
        found = from_data(PolicyFile, parse_strictly(data), str(path))
    except ValueError as error:
        raise UserInputError(f"{path} is not a policy: {error}", _HINT) from None
    except SchemaError as error:
        raise UserInputError(error.message, _HINT) from None
    if found.schema_version != SCHEMA_VERSION:
        raise UserInputError(
            f"{path} has schema_version {found.schema_version}, expected {SCHEMA_VERSION}", "Update edgener-runtime."
        )
    if not found.signatures:
        raise UserInputError(f"{path} requires no signature", _HINT)
    if found.models == ():
        raise UserInputError(f"{path} allows no model: models is empty", "Leave it out to allow any model.")
    return found


def _keys_of(path: Path, role: str, files: tuple[str, ...]) -> tuple[PublicKey, ...]:
    keys = tuple(key for file in files for key in read_public_keys(path.parent / file))
    if not keys:
        raise UserInputError(f"{path} has no keys for {role}", _HINT)
    return keys


def _require_distinct(path: Path, roles: tuple[Role, ...]) -> None:
    """One signature must not stand for two roles."""
    owners: dict[str, str] = {}
    for role in roles:
        for key in role.keys:
            if owners.setdefault(key.fingerprint, role.name) != role.name:
                raise UserInputError(
                    f"{path} has the key {key} for {owners[key.fingerprint]} and for {role.name}",
                    "Give each role keys of its own.",
                )
