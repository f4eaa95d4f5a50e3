"""Keys that never leave their token (a security module or smart card), named by a PKCS #11 URI (RFC 7512)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from edgener_runtime.base.install import BUILD_SIDE, install_line
from edgener_runtime.bundle.signatures.keys import PublicKey, public_key
from edgener_runtime.errors import DeviceError, UserInputError

SCHEME = "pkcs11:"
_EXAMPLE = "pkcs11:token=TOKEN;object=KEY?module-path=/usr/lib/softhsm/libsofthsm2.so"
_PATH, _QUERY = ("token", "serial", "object", "id", "type"), ("module-path",)


@dataclass(frozen=True)
class KeyUri:
    """A key on a token: the library of the token, and what the token and the key are called."""

    text: str
    module: str
    token: dict[str, Any] = field(default_factory=dict)
    key: dict[str, Any] = field(default_factory=dict)


def parse_uri(text: str) -> KeyUri:
    """A URI with module-path, token or serial, and object or id.

    Raises UserInputError where one is missing, for other attributes, and for a PIN, which others could see.
    """
    path, _, query = text.removeprefix(SCHEME).partition("?")
    named = _attributes(text, path, ";", _PATH) | _attributes(text, query, "&", _QUERY)
    words = {name: unquote(value) for name, value in named.items()}
    token = {"token_label": words.get("token"), "token_serial": unquote_to_bytes(named.get("serial", ""))}
    key = {"label": words.get("object"), "id": unquote_to_bytes(named.get("id", ""))}
    found = KeyUri(text, words.get("module-path", ""), _given(token), _given(key))
    if not found.module or not found.token or not found.key or words.get("type", "private") != "private":
        raise UserInputError(f"{text} does not name a private key of a token", f"Expected a form such as {_EXAMPLE}")
    return found


def _attributes(text: str, part: str, separator: str, known: tuple[str, ...]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in part.split(separator) if pair]
    if unknown := next((name for name, _, _ in pairs if name not in known), None):
        pin = unknown.startswith("pin-")
        raise UserInputError(
            "the URI of the key has its PIN, which every user of this machine can read there"
            if pin
            else f"{text} has the attribute {unknown!r}, expected {', '.join(known)}",
            "Put the PIN into EDGENER_KEY_PASSWORD." if pin else f"Expected a form such as {_EXAMPLE}",
        )
    return {name: value for name, _, value in pairs}


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


@contextmanager
def open_token_key(uri: KeyUri, pin: Callable[[], str]) -> Iterator[tuple[PublicKey, Callable[[bytes], bytes]]]:
    """The public key of a token's key, and the function that signs with it while the session is open.

    Raises DeviceError where python-pkcs11 or the token is missing, UserInputError for a wrong PIN or an unknown key.
    """
    try:
        import pkcs11
        from pkcs11 import exceptions
    except ImportError as error:
        raise DeviceError(
            f"keys on tokens need python-pkcs11, which cannot be loaded: {error}", install_line("pkcs11", BUILD_SIDE)
        ) from None
    try:
        token = pkcs11.lib(uri.module).get_token(**uri.token)
        with token.open(user_pin=pin()) as session:
            public, private = _only(uri, session, "PUBLIC_KEY"), _only(uri, session, "PRIVATE_KEY")
            yield _public_key(public), lambda data: _signed(private, data)
    except (exceptions.PinIncorrect, exceptions.PinLenRange, exceptions.PinInvalid, exceptions.PinLocked) as error:
        raise UserInputError(
            f"{uri.text}: the token refuses the PIN ({type(error).__name__})", "Put it into EDGENER_KEY_PASSWORD."
        ) from None
    except (exceptions.PKCS11Error, RuntimeError, OSError) as error:
        raise DeviceError(
            f"{uri.text}: the token cannot be used: {type(error).__name__} {error}".strip(),
            f"List the tokens: pkcs11-tool --module {uri.module} --list-slots",
        ) from None


def _only(uri: KeyUri, session: Any, kind: str) -> Any:
    """The one key of a kind that the URI names."""
    from pkcs11 import Attribute, ObjectClass

    named = {Attribute[name.upper()]: value for name, value in uri.key.items()}
    found = list(session.get_objects({Attribute.CLASS: ObjectClass[kind], **named}))
    if len(found) != 1:
        raise UserInputError(
            f"{uri.text} names {len(found)} objects of the kind {kind} on the token, expected one",
            f"List its keys: pkcs11-tool --module {uri.module} --list-objects --login",
        )
    return found[0]


def _public_key(key: Any) -> PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from pkcs11 import KeyType
    from pkcs11.util.ec import encode_ec_public_key

    where = Path(key.label or "the token's key")
    if key.key_type is not KeyType.EC:
        raise UserInputError(f"{where} is a key of the kind {key.key_type.name}, expected ECDSA on P-256")
    try:
        return public_key(where, load_der_public_key(encode_ec_public_key(key)))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UserInputError(f"{where} has a public key that cannot be read: {error}") from None


def _signed(key: Any, data: bytes) -> bytes:
    """An ASN.1 signature of the data's SHA-256: many tokens sign a digest only."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from pkcs11 import Mechanism

    raw: bytes = key.sign(hashlib.sha256(data).digest(), mechanism=Mechanism.ECDSA)
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
