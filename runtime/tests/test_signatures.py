"""A device that requires signatures runs what was signed with its keys, and nothing else."""

from __future__ import annotations

import base64
import json
import shutil
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import pytest

from edgener_runtime import TokenClassifier
from edgener_runtime.bundle.manifest import MANIFEST, MEASURED, read_manifest
from edgener_runtime.bundle.signatures import Policy, check_signatures, policy
from edgener_runtime.bundle.signatures.format import canonical, is_signature, statement
from edgener_runtime.bundle.store.store import Store
from edgener_runtime.bundle.verify import verify_bundle
from edgener_runtime.errors import BundleError, DeviceError, UserInputError

ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec", reason="pip install edgener-runtime[trust]")
from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: E402
from cryptography.hazmat.primitives.hashes import SHA384  # noqa: E402
from cryptography.hazmat.primitives.serialization import (  # noqa: E402
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from .owners import Owner  # noqa: E402


class Run(Protocol):
    def __call__(self, *arguments: object, stdin: bytes = b"") -> Any: ...


@pytest.fixture
def release(owner: Callable[[str], Owner]) -> Owner:
    return owner("release")


@pytest.fixture
def factory(owner: Callable[[str], Owner]) -> Owner:
    return owner("factory")


@pytest.fixture
def signed(copy: Path, release: Owner) -> Path:
    release.sign(copy)
    return copy


def write_policy(folder: Path, **fields: Any) -> Path:
    file = folder / "policy.json"
    file.write_text(json.dumps(fields), encoding="utf-8")
    return file


def test_what_was_signed_is_loaded(signed: Path, release: Owner) -> None:
    verify_bundle(signed, release.file)
    with TokenClassifier.load(signed, "cpu", "fp32", require_signature=release.file) as classifier:
        assert classifier.predict("Pump P-101 leaks")


def test_a_signature_changes_nothing_where_none_is_required(signed: Path, bundle: Path) -> None:
    assert verify_bundle(signed) == verify_bundle(bundle)


def test_a_slim_bundle_keeps_its_signature(signed: Path, release: Owner) -> None:
    """The signature is over the manifest alone."""
    for file in signed.iterdir():
        if file.name not in (MANIFEST, "manifest.json.sig"):
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    assert check_signatures(signed, Policy.read(release.file))


Change = Callable[[Path, Owner, Owner], object]


def another_manifest(bundle: Path, *_: Owner) -> None:
    record = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    (bundle / MANIFEST).write_text(json.dumps(record | {"name": "other"}), encoding="utf-8")


def of_another_model(bundle: Path, release: Owner, _: Owner) -> None:
    """The signature of a model that the same owner signed, beside this one."""
    other = Path(shutil.copytree(bundle, bundle.with_name("other")))
    another_manifest(other)
    shutil.move(release.sign(other), bundle / "manifest.json.sig")
    shutil.rmtree(other)


def of_another_version(bundle: Path, release: Owner, _: Owner) -> None:
    """The signature of the version before, by the same owner."""
    other = Path(shutil.copytree(bundle, bundle.with_name("before")))
    record = json.loads((other / MANIFEST).read_text(encoding="utf-8"))
    (other / MANIFEST).write_text(json.dumps(record | {"outside": "O"}, indent=1), encoding="utf-8")
    shutil.move(release.sign(other), bundle / "manifest.json.sig")
    shutil.rmtree(other)


def of_another_file(bundle: Path, release: Owner, _: Owner) -> None:
    """The signature of another file of the same bundle, in place of the root's."""
    file = bundle / "tokenizer.json"
    release.sign(bundle, payload=canonical(statement(file.relative_to(bundle).as_posix(), file.read_bytes())))


def of_the_speeds(bundle: Path, release: Owner, _: Owner) -> None:
    """What the owner signed as the speeds, in place of the root."""
    release.sign(bundle, payload=canonical(statement(MEASURED, (bundle / MANIFEST).read_bytes())))


def hash_of_384_bits(bundle: Path, release: Owner, _: Owner) -> None:
    release.sign(bundle, hash=SHA384())


def under_its_fingerprint(bundle: Path, release: Owner, factory: Owner) -> None:
    """Signed with a key that is not the owner's, and says it is."""
    factory.sign(bundle, fingerprint=release.fingerprint)


def one_of_two_forged(bundle: Path, release: Owner, factory: Owner) -> None:
    factory.sign(bundle, as_name="two", fingerprint=release.fingerprint)


def statement_of(bundle: Path) -> dict[str, Any]:
    return statement(MANIFEST, (bundle / MANIFEST).read_bytes())


def other_kind_of_statement(bundle: Path, release: Owner, _: Owner) -> None:
    record = statement_of(bundle) | {"predicateType": "https://slsa.dev/provenance/v1"}
    release.sign(bundle, payload=canonical(record))


def of_two_files(bundle: Path, release: Owner, _: Owner) -> None:
    record = statement_of(bundle)
    record["subject"] *= 2
    release.sign(bundle, payload=canonical(record))


def not_a_statement(bundle: Path, release: Owner, _: Owner) -> None:
    release.sign(bundle, payload=b"[]")


def with_spaces(bundle: Path, *_: Owner) -> None:
    file = bundle / "manifest.json.sig"
    file.write_text(json.dumps(json.loads(file.read_text())), encoding="ascii")


def with_a_line_break(bundle: Path, *_: Owner) -> None:
    file = bundle / "manifest.json.sig"
    file.write_bytes(file.read_bytes() + b"\n")


def without_envelope(bundle: Path, *_: Owner) -> None:
    (bundle / "manifest.json.sig").write_text("{}")


def a_list(bundle: Path, *_: Owner) -> None:
    (bundle / "manifest.json.sig").write_text("[1]")


def empty(bundle: Path, *_: Owner) -> None:
    (bundle / "manifest.json.sig").write_bytes(b"")


def endless(bundle: Path, *_: Owner) -> None:
    (bundle / "manifest.json.sig").write_bytes(b" " * 2_000_000)


def a_folder(bundle: Path, *_: Owner) -> None:
    (bundle / "manifest.json.sig").unlink()
    (bundle / "manifest.json.sig").mkdir()


def fields_twice(bundle: Path, *_: Owner) -> None:
    file = bundle / "manifest.json.sig"
    file.write_bytes(b'{"mediaType":"x",' + file.read_bytes()[1:])


def base64_with_loose_bits(bundle: Path, *_: Owner) -> None:
    """Text that decodes to the same bytes."""
    file = bundle / "manifest.json.sig"
    record = json.loads(file.read_text())
    (entry,) = record["dsseEnvelope"]["signatures"]
    entry["sig"] = entry["sig"].rstrip("=") + "===="
    file.write_text(json.dumps(record, separators=(",", ":")))


CHANGES: dict[Change, str] = {
    lambda bundle, *_: (bundle / "manifest.json.sig").unlink(): "is not signed: it has no manifest.json.sig",
    another_manifest: "is not of this manifest.json, which was changed since",
    of_another_model: "is not of this manifest.json",
    of_another_version: "is not of this manifest.json",
    of_another_file: "is not of this manifest.json",
    of_the_speeds: "is not of this manifest.json",
    lambda bundle, _, factory: factory.sign(bundle): "is not signed by an accepted key: found manifest.json.sig by",
    lambda bundle, *_: (bundle / MANIFEST).unlink(): "is not a bundle",
    hash_of_384_bits: "was not made with the key",
    under_its_fingerprint: "was not made with the key",
    one_of_two_forged: "was not made with the key",
    other_kind_of_statement: "is not of this manifest.json",
    of_two_files: "is not of this manifest.json",
    not_a_statement: "is not of this manifest.json",
    with_spaces: "not written as a signer writes it",
    with_a_line_break: "not written as a signer writes it",
    without_envelope: "fields are missing",
    a_list: "fields are missing",
    empty: "is not a signature of a bundle",
    endless: "expected at most",
    a_folder: "Is a directory",
    fields_twice: "stands twice",
    base64_with_loose_bits: "is not a signature of a bundle",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_anything_else_is_refused(change: Change, signed: Path, release: Owner, factory: Owner, run: Run) -> None:
    change(signed, release, factory)
    for command in (("verify", signed), ("predict", signed, "Pump P-101 leaks")):
        done = run(*command, "--require-signature", release.file)
        assert (done.code, done.out) == (5, "")
        assert CHANGES[change] in done.err
    with pytest.raises(BundleError):
        TokenClassifier.load(signed, require_signature=release.file)


@pytest.mark.trust
def test_every_changed_byte_of_manifest_and_signature_is_refused(
    signed: Path, release: Owner, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each byte with one bit flipped, and cut off there with all that follows for every twentieth."""
    required, tried, refused = Policy.read(release.file), 0, 0
    for file in (signed / MANIFEST, signed / "manifest.json.sig"):
        data = file.read_bytes()
        with file.open("r+b", buffering=0) as opened:  # opening it anew for each byte takes minutes
            for position in range(len(data)):
                write_at(opened, position, bytes([data[position] ^ 1 << position % 8]))
                refused += is_refused(signed, required)
                write_at(opened, position, data[position : position + 1])
            for length in range(0, len(data), 20):
                opened.truncate(length)
                refused += is_refused(signed, required)
                write_at(opened, 0, data)
        tried += len(data) + len(range(0, len(data), 20))
        check_signatures(signed, required)
    with capsys.disabled():
        print(f"\nmanifest and signature with a byte flipped or cut short: {refused} of {tried} refused")  # noqa: T201
    assert refused == tried > 2000


def write_at(file: Any, position: int, data: bytes) -> None:
    file.seek(position)
    file.write(data)


def is_refused(bundle: Path, required: Policy) -> bool:
    try:
        check_signatures(bundle, required)
    except BundleError:
        return True
    return False


def test_the_manifest_that_was_verified_is_the_one_that_is_used(
    signed: Path, release: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another in its place a moment later is refused."""
    from edgener_runtime.bundle import verify

    def then_changed(bundle: Path, required: Policy) -> dict[str, str]:
        found = check_signatures(bundle, required)
        another_manifest(bundle)
        return found

    monkeypatch.setattr(verify, "check_signatures", then_changed)
    with pytest.raises(BundleError, match=r"manifest.json was changed: SHA-256"):
        verify_bundle(signed, release.file)


def test_any_key_of_a_file_is_enough(signed: Path, release: Owner, factory: Owner, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(factory.file.read_bytes() + b"# of 2026\n" + release.file.read_bytes())
    verify_bundle(signed, both)


def test_every_role_of_a_policy_must_have_signed(
    signed: Path, release: Owner, factory: Owner, tmp_path: Path, run: Run
) -> None:
    required = write_policy(tmp_path, signatures={"release": ["release.pub"], "factory": ["factory.pub"]})
    done = run("verify", signed, "--require-signature", required)
    assert done.code == 5
    assert f"{MANIFEST} is not signed by factory: found manifest.json.sig by {release.fingerprint[:12]}" in done.err
    factory.sign(signed, as_name="factory")
    assert run("verify", signed, "--require-signature", required).code == 0
    (signed / "manifest.json.sig").unlink()
    assert "is not signed by release" in run("verify", signed, "--require-signature", required).err


def test_a_policy_names_the_models(signed: Path, release: Owner, tmp_path: Path, run: Run) -> None:
    name = json.loads((signed / MANIFEST).read_text(encoding="utf-8"))["name"]
    required = write_policy(tmp_path, signatures={"release": ["release.pub"]}, models=[name])
    assert run("verify", signed, "--require-signature", required).code == 0
    write_policy(tmp_path, signatures={"release": ["release.pub"]}, models=["weather"])
    done = run("verify", signed, "--require-signature", required)
    assert (done.code, f"is of the model '{name}'; this device's policy allows weather" in done.err) == (5, True)


def test_the_policy_of_a_device_holds_for_every_command(
    copy: Path, release: Owner, factory: Owner, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    required = write_policy(tmp_path, signatures={"release": ["release.pub"]})
    monkeypatch.setattr(policy, "DEVICE_POLICY", required)
    for command in (("verify", copy), ("predict", copy, "x"), ("tune", copy), ("prepare", copy)):
        assert run(*command).code == 5, command
    with pytest.raises(BundleError, match="is not signed"):
        TokenClassifier.load(copy)
    factory.sign(copy)
    assert run("verify", copy, "--require-signature", factory.file).code == 5, "an option does not replace the policy"
    release.sign(copy, as_name="release")
    assert run("verify", copy, "--require-signature", factory.file).code == 0
    assert run("predict", copy, "Pump P-101 leaks").code == 0


def test_a_policy_of_the_device_that_cannot_be_read_permits_nothing(
    signed: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policy.json").symlink_to(tmp_path / "gone.json")
    monkeypatch.setattr(policy, "DEVICE_POLICY", tmp_path / "policy.json")
    done = run("verify", signed)
    assert (done.code, "cannot read" in done.err) == (2, True)


WRONG_POLICIES = {
    "{": "is not a policy",
    "{}": "'signatures' is missing",
    '{"signatures": {}}': "requires no signature",
    '{"signatures": {"release": []}}': "has no keys for release",
    '{"signatures": {"release": ["absent.pub"]}}': "absent.pub: No such file",
    '{"signatures": {"a": ["release.pub"], "b": ["release.pub"]}}': "for a and for b",
    '{"signatures": {"a": ["release.pub"]}, "signatures": {"a": ["release.pub"]}}': "stands twice",
    '{"signatures": {"a": ["release.pub"]}, "threshold": 0}': "unknown field 'threshold'",
    '{"signatures": {"a": ["release.pub"]}, "schema_version": 2}': "has schema_version 2, expected 1",
    '{"signatures": {"a": ["release.pub"]}, "models": []}': "models is empty",
    "": "has no public key",
    "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n": "cannot be read",
}


@pytest.mark.parametrize("text", WRONG_POLICIES)
def test_a_policy_that_does_not_say_who_is_an_error(
    text: str, signed: Path, release: Owner, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "policy.json").write_text(text)
    done = run("verify", signed, "--require-signature", tmp_path / "policy.json")
    assert (done.code, WRONG_POLICIES[text] in done.err) == (2, True), done.err


def test_other_kinds_of_keys_are_refused(signed: Path, tmp_path: Path, release: Owner) -> None:
    private = release.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    others = {
        "secp384r1": ec.generate_private_key(ec.SECP384R1()).public_key(),
        "secp256k1": ec.generate_private_key(ec.SECP256K1()).public_key(),
        "Ed25519": ed25519.Ed25519PrivateKey.generate().public_key(),
        "PRIVATE KEY": None,
    }
    for name, key in others.items():
        file = tmp_path / "other.pub"
        file.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) if key else private)
        with pytest.raises(UserInputError, match=name) as refused:
            verify_bundle(signed, file)
        assert base64.b64encode(private)[:40].decode() not in str(refused.value)


def test_without_the_library_nothing_is_accepted(
    signed: Path, release: Owner, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for command in (("verify", signed), ("predict", signed, "x")):
        done = run(*command, "--require-signature", release.file)
        assert (done.code, done.out) == (6, "")
        assert "pip install" in done.err and "edgener-runtime[trust]" in done.err
    assert run("verify", signed).code == 0, "where nothing is required, nothing is missing"
    with pytest.raises(DeviceError):
        verify_bundle(signed, release.file)


SWAPPED = (of_another_model, of_another_version, of_another_file, of_the_speeds)


@pytest.mark.parametrize("change", SWAPPED, ids=lambda change: change.__name__)
def test_a_store_takes_and_activates_no_bundle_with_a_signature_of_something_else(
    change: Change, signed: Path, release: Owner, factory: Owner, run: Run, tmp_path: Path
) -> None:
    """A signature that the right key made, of another bundle, version or file."""
    words = ("--store", tmp_path / "store", "--variant", "fp32", "--trial", "0", "--require-signature", release.file)
    store, first = Store(tmp_path / "store"), Path(shutil.copytree(signed, tmp_path / "first"))
    record = json.loads((signed / MANIFEST).read_text(encoding="utf-8"))
    (signed / MANIFEST).write_text(json.dumps(record | {"name": "second"}), encoding="utf-8")
    release.sign(signed)
    assert run("install", first, *words).code == run("install", signed, *words, "--no-activate").code == 0
    waiting = read_manifest(signed).version
    change(tmp_path / "store" / "bundles" / waiting, release, factory)
    done = run("activate", waiting, *words)
    assert (done.code, "is not of this manifest.json" in done.err) == (5, True), done.err
    swapped = Path(shutil.copytree(tmp_path / "store" / "bundles" / waiting, tmp_path / "swapped"))
    done = run("install", swapped, *words)
    assert (done.code, "is not of this manifest.json" in done.err) == (5, True), done.err
    assert store.listing().active == read_manifest(first).version


def test_the_speeds_are_signed_too(signed: Path, release: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    required = Policy.read(release.file)
    (signed / MEASURED).write_text('{"fp32": 1.5}')
    with pytest.raises(BundleError, match=r"it has no measured.json.sig"):
        check_signatures(signed, required)
    shutil.copy(signed / "manifest.json.sig", signed / "measured.json.sig")
    with pytest.raises(BundleError, match=r"measured.json.sig is not of this measured.json"):
        check_signatures(signed, required)
    release.sign(signed, MEASURED)
    assert check_signatures(signed, required).keys() == {MANIFEST, MEASURED}


def test_speeds_that_come_after_the_check_are_not_read(copy: Path) -> None:
    """Those of somebody else, who puts them there between the check of the signatures and the reading."""
    root = copy / MANIFEST
    record = json.loads(root.read_text(encoding="utf-8")) | {"measured": MEASURED}
    root.write_text(json.dumps(record), encoding="utf-8")
    signed = {MANIFEST: sha256(root.read_bytes()).hexdigest()}
    (copy / MEASURED).write_text(json.dumps({"manifest": signed[MANIFEST], "variants": []}))
    assert read_manifest(copy).measured
    with pytest.raises(BundleError, match=r"measured.json was changed"):
        read_manifest(copy, signed)


def test_too_many_signatures_are_refused(signed: Path, release: Owner) -> None:
    for number in range(16):
        shutil.copy(signed / "manifest.json.sig", signed / f"manifest.json.{number}.sig")
    with pytest.raises(BundleError, match="has 17 signatures"):
        check_signatures(signed, Policy.read(release.file))


def test_only_names_of_signatures_are_left_unlisted(copy: Path) -> None:
    for name in ("manifest.json.sig", "manifest.json.release.sig", "measured.json.factory-2.sig"):
        assert is_signature(name)
    for name in ("manifest.json.Release.sig", "variants/manifest.json.sig", "x.sig", "manifest.json.sig.onnx"):
        assert not is_signature(name)
    (copy / "variants" / "manifest.json.sig").write_text("x")
    with pytest.raises(BundleError, match="not listed"):
        verify_bundle(copy)
