"""The check of a bundle's signatures against a policy."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from edgener_runtime.base.files import read_regular
from edgener_runtime.base.serde import parse_strictly
from edgener_runtime.bundle.manifest import MANIFEST
from edgener_runtime.bundle.stored import MOST_BYTES
from edgener_runtime.errors import BundleError

from .format import SIGNED, Signature, covers, read_signature, signature_files, signature_name, statement
from .policy import Policy, Role

MOST_SIGNATURES = 16  # of a file
_HINT = "Copy the signed bundle again, or sign it with a key that this device accepts: edgener sign"


def check_signatures(bundle: Path, policy: Policy) -> dict[str, str]:
    """The SHA-256 of the signed files of a bundle that fulfils a policy, by name; only these may be used.

    Raises BundleError where a signature is missing, damaged, by another key or of another file, and for a bundle of a
    name that the policy does not have.
    """
    names = [name for name in SIGNED if name == MANIFEST or (bundle / name).exists()]
    signed = {name: _read(bundle / name) for name in names}
    for name, data in signed.items():
        signatures, expected = _signatures(bundle, name), statement(name, data)
        for role in policy.roles:
            _require_role(bundle / name, role, signatures, expected)
    _require_name(bundle / MANIFEST, signed[MANIFEST], policy)
    return {name: sha256(data).hexdigest() for name, data in signed.items()}


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        hint = "Make one with: edgener export"
        raise BundleError(f"{path.parent} is not a bundle: it has no {path.name}", hint) from None
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}", "Check its permissions and the disk.") from None
    except ValueError as error:
        raise BundleError(f"{path} is damaged: {error}", "Copy the bundle again.") from None


def _signatures(bundle: Path, name: str) -> list[Signature]:
    files = signature_files(bundle, name)
    if len(files) > MOST_SIGNATURES:
        raise BundleError(f"{bundle} has {len(files)} signatures of {name}, expected at most {MOST_SIGNATURES}", _HINT)
    return [read_signature(file) for file in files]


def _require_role(path: Path, role: Role, found: Sequence[Signature], expected: dict[str, Any]) -> None:
    """Raise BundleError unless a key of the role signed the statement; each signature naming such a key must hold."""
    keys = {key.fingerprint: key for key in role.keys}
    own = [signature for signature in found if signature.fingerprint in keys]
    for signature in own:
        key = keys[signature.fingerprint]
        if not key.verifies(signature):
            raise BundleError(f"{signature.path} was changed, or was not made with the key {key}", _HINT)
        if not covers(signature, expected):
            raise BundleError(f"{signature.path} is not of this {path.name}, which was changed since", _HINT)
    if own:
        return
    required = f"expected a signature by {' or '.join(map(str, role.keys))}"
    if not found:
        raise BundleError(f"{path.parent} is not signed: it has no {signature_name(path.name)}; {required}", _HINT)
    others = ", ".join(f"{signature.path.name} by {signature.fingerprint[:12]}" for signature in found)
    raise BundleError(f"{path} is not signed by {role.name}: found {others}; {required}", _HINT)


def _require_name(path: Path, data: bytes, policy: Policy) -> None:
    if not policy.models:
        return
    try:
        name = parse_strictly(data)["name"]
    except (ValueError, LookupError, TypeError):
        raise BundleError(f"{path} has no name", "Export the bundle again.") from None
    for allowed in policy.models:
        if name not in allowed:
            raise BundleError(
                f"{path} is of the model {name!r}; this device's policy allows {', '.join(allowed)}",
                "Install a bundle of that model.",
            )
