"""The format of a signature: an OpenSSF model-signing bundle (Sigstore JSON, DSSE, in-toto) of one file.

`model_signing verify key manifest.json --signature manifest.json.sig --public_key KEY` verifies it, and what
`model_signing sign key` makes of the same file is accepted. A whole folder is not signed: bundles without some of their
variants are valid.
All that is not covered by the signature has a single spelling, so that no changed byte is accepted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgener_runtime.base.files import read_regular
from edgener_runtime.base.serde import parse_strictly
from edgener_runtime.bundle.manifest import MANIFEST, MEASURED
from edgener_runtime.errors import BundleError

SIGNED = (MANIFEST, MEASURED)
"""The files of a bundle that are signed where they are there; the manifest has the digests of all others."""
SIGNER = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
MOST_BYTES = 1 << 14  # of a signature; ours have 1,300

_FINGERPRINT = re.compile("[0-9a-f]{64}")
_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_FILE = re.compile(rf"({'|'.join(map(re.escape, SIGNED))})(\.{SIGNER.pattern})?\.sig")


@dataclass(frozen=True)
class Signature:
    """A signature as its file has it: the key's fingerprint, the in-toto statement that was signed, and the proof."""

    path: Path
    fingerprint: str
    payload: bytes
    proof: bytes


def signature_name(signed: str, signer: str | None = None) -> str:
    """The name of a signature's file beside the file that is signed."""
    return f"{signed}.{signer}.sig" if signer else f"{signed}.sig"


def is_signature(path: str) -> bool:
    """Whether a path within a bundle is that of a signature, which no manifest lists."""
    return _FILE.fullmatch(path) is not None


def signature_files(bundle: Path, signed: str) -> list[Path]:
    """The signatures of one file of a bundle, by name."""
    found = ((path, _FILE.fullmatch(path.name)) for path in bundle.glob(f"{signed}*.sig"))
    return sorted(path for path, match in found if match and match[1] == signed)


def statement(signed: str, data: bytes) -> dict[str, Any]:
    """The in-toto statement of a file. That of speeds says itself which manifest it belongs to."""
    digest = hashlib.sha256(data)
    predicate = {
        "resources": [{"algorithm": "sha256", "digest": digest.hexdigest(), "name": "."}],
        "serialization": {"allow_symlinks": False, "hash_type": "sha256", "method": "files"},
    }
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "predicate": predicate,
        "predicateType": "https://model_signing/signature/v1.0",
        # the digest of the list of digests, as model-signing has it
        "subject": [{"digest": {"sha256": hashlib.sha256(digest.digest()).hexdigest()}, "name": signed}],
    }


def canonical(record: dict[str, Any]) -> bytes:
    """The bytes of a record of ASCII texts by RFC 8785."""
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode("ascii")


def encode_for_signing(payload: bytes) -> bytes:
    """What is signed of a payload: DSSE's pre-authentication encoding."""
    return f"DSSEv1 {len(_PAYLOAD_TYPE)} {_PAYLOAD_TYPE} {len(payload)} ".encode() + payload


def signature_document(fingerprint: str, payload: bytes, proof: bytes) -> bytes:
    """The content of a signature's file, its fields in the order of model-signing."""
    envelope = {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": _PAYLOAD_TYPE,
        "signatures": [{"sig": base64.b64encode(proof).decode("ascii"), "keyid": ""}],
    }
    material = {"publicKey": {"hint": fingerprint}, "tlogEntries": []}
    document = {"mediaType": _MEDIA_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope}
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def read_signature(path: Path) -> Signature:
    """A signature from its file. Raises BundleError where the file is not exactly as a signer writes it."""
    try:
        data = read_regular(path, MOST_BYTES)
        record = parse_strictly(data)
        envelope = record["dsseEnvelope"]
        fingerprint = str(record["verificationMaterial"]["publicKey"]["hint"])
        payload, proof = (_decoded(text) for text in (envelope["payload"], envelope["signatures"][0]["sig"]))
        if not _FINGERPRINT.fullmatch(fingerprint) or signature_document(fingerprint, payload, proof) != data:
            raise ValueError("it is not written as a signer writes it")
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}", "Check its permissions and the disk.") from None
    except (ValueError, LookupError, TypeError) as error:
        reason = str(error) if isinstance(error, ValueError) else "fields are missing"
        raise BundleError(
            f"{path} is not a signature of a bundle: {reason}", "Copy the bundle again, or sign it again: edgener sign"
        ) from None
    return Signature(path, fingerprint, payload, proof)


def covers(signature: Signature, expected: dict[str, Any]) -> bool:
    """Whether the statement that was signed is the expected one; paths to ignore have no meaning for one file."""
    try:
        found = parse_strictly(signature.payload)
        found["predicate"]["serialization"].pop("ignore_paths", None)
    except (ValueError, LookupError, TypeError, AttributeError):
        return False
    return bool(found == expected)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("its base64 is damaged") from None
