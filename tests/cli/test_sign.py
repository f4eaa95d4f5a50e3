"""Keys, signatures and their verification on the build side, and what the OpenSSF's own command says of them."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from edgener.bundle.pkcs11 import parse_uri
from edgener.cli.main import main
from edgener.cli.trust import password
from edgener_runtime.bundle.signatures import policy
from edgener_runtime.bundle.slim import slim
from edgener_runtime.errors import UserInputError

ROOT = Path(__file__).resolve().parents[2]
SECRET = "hühner-Leiter 42"
SOFTHSM = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "84652"


def run(*arguments: object, secret: str | None = SECRET, typed: str = "") -> Result:
    environment = {password.VARIABLE: secret}
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=typed, env=environment)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "runtime" / "tests" / "bundle", tmp_path / "bundle"))


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The name of a pair of keys with a password."""
    assert run("keygen", "--out", tmp_path / "release").exit_code == 0
    return tmp_path / "release"


def private(name: Path) -> Path:
    return name.with_name(f"{name.name}.key")


def public(name: Path) -> Path:
    return name.with_name(f"{name.name}.pub")


def test_a_private_key_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        done = run("keygen", "--out", tmp_path / "a.b" / "release")
    finally:
        os.umask(before)
    key = tmp_path / "a.b" / "release.key"
    assert done.exit_code == 0 and stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    loaded = serialization.load_pem_private_key(key.read_bytes(), SECRET.encode())
    assert isinstance(loaded, ec.EllipticCurvePrivateKey) and loaded.curve.name == "secp256r1"
    assert public(tmp_path / "a.b" / "release").read_bytes().startswith(b"-----BEGIN PUBLIC KEY-----")
    assert SECRET not in done.output


def test_keys_are_not_replaced(release: Path) -> None:
    for gone in (None, private(release)):
        if gone:
            gone.unlink()
        before = public(release).read_bytes()
        done = run("keygen", "--out", release)
        assert done.exit_code == 2 and "a key is not replaced" in done.stderr
        assert public(release).read_bytes() == before


def test_a_key_without_a_password_is_asked_for(tmp_path: Path) -> None:
    done = run("keygen", "--out", tmp_path / "open", secret=None)
    assert done.exit_code == 2 and "EDGENER_KEY_PASSWORD is not set, and stdin is not a terminal" in done.stderr
    assert not list(tmp_path.iterdir())
    assert run("keygen", "--out", tmp_path / "open", secret="").exit_code == 0
    assert private(tmp_path / "open").read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")


def test_a_password_that_is_typed_is_typed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: Path) -> None:
    class Terminal:
        @staticmethod
        def isatty() -> bool:
            return True

    monkeypatch.setattr(password, "sys", type("sys", (), {"stdin": Terminal}))
    done = run("keygen", "--out", tmp_path / "typed", secret=None, typed="geheim\ngeheim\n")
    assert done.exit_code == 0 and "geheim" not in done.output
    assert run("sign", bundle, "--key", private(tmp_path / "typed"), secret=None, typed="geheim\n").exit_code == 0
    assert run("sign", bundle, "--key", private(tmp_path / "typed"), secret=None, typed="falsch\n").exit_code == 2


def test_a_signed_bundle_is_verified(bundle: Path, release: Path) -> None:
    assert "not signed" in run("verify", bundle).stdout
    done = run("sign", bundle, "--key", private(release))
    assert (done.exit_code, done.stdout.split(":")[0]) == (0, str(bundle / "manifest.json.sig"))
    assert "not verified: the key was not given" in run("verify", bundle).stdout
    assert ", verified" in run("verify", bundle, "--key", public(release)).stdout
    (found,) = json.loads(run("verify", bundle, "--key", public(release), "--json").stdout)["signatures"]
    assert (found["file"], found["verified"]) == ("manifest.json.sig", True)


def test_several_owners_sign(bundle: Path, release: Path, tmp_path: Path) -> None:
    run("keygen", "--out", tmp_path / "factory", secret="")
    for name in ("release", "factory"):
        assert run("sign", bundle, "--key", private(tmp_path / name), "--name", name).exit_code == 0
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"signatures": {"release": ["release.pub"], "factory": ["factory.pub"]}}))
    found = json.loads(run("verify", bundle, "--key", policy, "--json").stdout)["signatures"]
    assert [(each["file"], each["verified"]) for each in found] == [
        ("manifest.json.factory.sig", True),
        ("manifest.json.release.sig", True),
    ]


def test_another_key_is_refused(bundle: Path, release: Path, tmp_path: Path) -> None:
    run("keygen", "--out", tmp_path / "other")
    run("sign", bundle, "--key", private(tmp_path / "other"))
    done = run("verify", bundle, "--key", public(release))
    assert done.exit_code == 5 and "is not signed by an accepted key" in done.stderr


def test_a_damaged_bundle_is_not_signed(bundle: Path, release: Path) -> None:
    (bundle / "tokenizer.json").write_text("{}")
    done = run("sign", bundle, "--key", private(release))
    assert done.exit_code == 5 and not list(bundle.glob("*.sig"))


@pytest.fixture
def required_here(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The policy of this machine, which requires a signature of the release's key."""
    (tmp_path / "policy.json").write_text(json.dumps({"signatures": {"release": ["release.pub"]}}))
    monkeypatch.setattr(policy, "DEVICE_POLICY", tmp_path / "policy.json")
    return tmp_path / "policy.json"


MAKING: dict[str, tuple[object, ...]] = {
    "publish": ("publish", "BUNDLE", "updates", "--keys", "keys"),
    "rebuild": ("rebuild", "BUNDLE", "--check"),
    "build-engine": ("build-engine", "BUNDLE", "--variant", "fp32"),
}


@pytest.mark.parametrize("command", MAKING)
def test_what_makes_bundles_needs_no_signature_that_the_machine_requires(
    command: str, bundle: Path, required_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for role in ("root", "targets", "snapshot", "timestamp"):
        run("keygen", "--out", f"keys/{role}", secret="")
    done = run(*(bundle if word == "BUNDLE" else word for word in MAKING[command]), secret="")
    assert "signed" not in done.stderr and done.exit_code != 5, done.output
    assert slim(bundle, "fp32", tmp_path / "slim").variants
    (bundle / "tokenizer.json").write_text("{}")
    done = run(*(bundle if word == "BUNDLE" else word for word in MAKING[command]), secret="")
    assert done.exit_code == 5 and "tokenizer.json" in done.stderr, done.output


def test_a_machine_that_requires_signatures_signs_what_has_none(
    bundle: Path, release: Path, required_here: Path
) -> None:
    for command in (("verify", bundle), ("evaluate", bundle, "--data", "builtin:factory")):
        done = run(*command)
        assert (done.exit_code, "is not signed" in done.stderr) == (5, True), done.output
    assert run("sign", bundle, "--key", private(release)).exit_code == 0
    assert ", verified" in run("verify", bundle).stdout


Change = Callable[[Path], object]


def readable_by_others(key: Path) -> None:
    key.chmod(0o666)


def of_another_curve(key: Path) -> None:
    _write(key, ec.generate_private_key(ec.SECP384R1()))


def of_another_kind(key: Path) -> None:
    _write(key, rsa.generate_private_key(65537, 2048))


def _write(file: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


WRONG_KEYS: dict[Change, str] = {
    readable_by_others: "others may change it",
    of_another_curve: "an elliptic curve key of secp384r1, expected an ECDSA key on P-256",
    of_another_kind: "expected an ECDSA key on P-256",
    Path.unlink: "cannot read",
    lambda key: key.write_text("x"): "is not a private key in PEM form, or the password is wrong",
    lambda key: shutil.copy(key.with_suffix(".pub"), key): "is not a private key in PEM form",
}


@pytest.mark.parametrize("change", WRONG_KEYS, ids=lambda change: change.__name__)
def test_a_wrong_key_is_an_error(change: Change, bundle: Path, release: Path) -> None:
    change(private(release))
    done = run("sign", bundle, "--key", private(release))
    assert (done.exit_code, WRONG_KEYS[change] in done.stderr) == (2, True), done.stderr
    assert SECRET not in done.output and not list(bundle.glob("*.sig"))


def test_a_wrong_password_is_an_error(bundle: Path, release: Path) -> None:
    for wrong in ("", "falsch", SECRET + " "):
        done = run("sign", bundle, "--key", private(release), secret=wrong)
        assert done.exit_code == 2 and "the password is wrong" in done.stderr


@pytest.mark.parametrize("name", ["../release", "Release", "a.b", "", "x" * 33])
def test_a_name_fits_a_file(name: str, bundle: Path, release: Path) -> None:
    done = run("sign", bundle, "--key", private(release), "--name", name)
    assert done.exit_code == 2 and "does not fit a file's name" in done.stderr


@pytest.fixture
def model_signing() -> str:
    """The command of the package model-signing, which has an environment of its own (tools/test_trust.sh)."""
    found = shutil.which("model_signing")
    if not found:
        pytest.skip("the command model_signing is not on PATH: make test-trust installs it")
    return found


def verified_by(command: str, bundle: Path, key: Path, signature: str = "manifest.json.sig") -> int:
    words = ["verify", "key", bundle / "manifest.json", "--signature", bundle / signature, "--public_key", key]
    return subprocess.run([command, *words], capture_output=True, timeout=120, check=False).returncode


@pytest.mark.trust
def test_model_signing_verifies_our_signature(model_signing: str, bundle: Path, release: Path, tmp_path: Path) -> None:
    run("keygen", "--out", tmp_path / "other")
    run("sign", bundle, "--key", private(release))
    assert verified_by(model_signing, bundle, public(release)) == 0
    assert verified_by(model_signing, bundle, public(tmp_path / "other")) != 0
    manifest = (bundle / "manifest.json").read_bytes()
    (bundle / "manifest.json").write_bytes(manifest.replace(b"0", b"1", 1))
    assert verified_by(model_signing, bundle, public(release)) != 0


@pytest.mark.trust
def test_we_verify_the_signature_of_model_signing(model_signing: str, bundle: Path, tmp_path: Path) -> None:
    run("keygen", "--out", tmp_path / "open", secret="")
    signature = bundle / "manifest.json.sig"
    words = ["sign", "key", bundle / "manifest.json", "--signature", signature]
    words += ["--private_key", private(tmp_path / "open")]
    subprocess.run([model_signing, *words], capture_output=True, timeout=120, check=True)
    assert run("verify", bundle, "--key", public(tmp_path / "open")).exit_code == 0


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A software token with the key `open`, which is returned; its URI is URI."""
    pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed")
    if not (SOFTHSM.exists() and shutil.which("softhsm2-util")):
        pytest.skip("softhsm2 is not installed: apt-get install softhsm2")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm.conf").write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm.conf"))
    run("keygen", "--out", tmp_path / "open", secret="")
    named = ["--token", "plant", "--pin", PIN]
    for words in (
        ["--init-token", "--free", "--label", "plant", "--pin", PIN, "--so-pin", "99999999"],
        ["--import", private(tmp_path / "open"), *named, "--label", "release", "--id", "a1"],
        ["--import", private(tmp_path / "open"), *named, "--label", "twice", "--id", "b1"],
        ["--import", private(tmp_path / "open"), *named, "--label", "twice", "--id", "b2"],
    ):
        subprocess.run(["softhsm2-util", *map(str, words)], check=True, capture_output=True)
    return tmp_path / "open"


URI = f"pkcs11:token=plant;object=release;type=private?module-path={SOFTHSM}"


@pytest.mark.trust
def test_a_token_signs(token: Path, bundle: Path) -> None:
    for uri in (URI, URI.replace("object=release", "id=%A1")):
        assert run("sign", bundle, "--key", uri, secret=PIN).exit_code == 0
        assert run("verify", bundle, "--key", public(token)).exit_code == 0


@pytest.mark.trust
def test_a_token_that_cannot_sign_is_an_error(token: Path, bundle: Path) -> None:
    wrong = {
        (URI, "1111"): (2, "refuses the PIN"),
        (URI.replace("release", "other"), PIN): (2, "names 0 objects of the kind PUBLIC_KEY"),
        (URI.replace("release", "twice"), PIN): (2, "names 2 objects of the kind PUBLIC_KEY"),
        (URI.replace("plant", "office"), PIN): (6, "the token cannot be used: NoSuchToken"),
        (URI.replace("/usr/", "/absent/"), PIN): (6, "the token cannot be used"),
    }
    for (uri, pin), (code, message) in wrong.items():
        done = run("sign", bundle, "--key", uri, secret=pin)
        assert (done.exit_code, message in done.stderr) == (code, True), done.output
        assert pin not in done.output
    assert not list(bundle.glob("*.sig"))


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:",
        "pkcs11:token=a;object=b",
        "pkcs11:object=b?module-path=/x.so",
        "pkcs11:token=a?module-path=/x.so",
        "pkcs11:token=a;object=b;type=cert?module-path=/x.so",
        "pkcs11:token=a;object=b;slot-id=1?module-path=/x.so",
        f"pkcs11:token=a;object=b?module-path=/x.so&pin-value={PIN}",
        f"pkcs11:token=a;object=b;pin-value={PIN}?module-path=/x.so",
    ],
)
def test_a_uri_names_a_private_key_and_no_pin(uri: str) -> None:
    with pytest.raises(UserInputError) as refused:
        parse_uri(uri)
    assert PIN not in str(refused.value)


def test_a_uri_is_decoded() -> None:
    found = parse_uri("pkcs11:token=Werk%20S%C3%BCd;serial=%0102;id=%FF%00?module-path=/opt/my%20lib.so")
    assert (found.module, found.token) == ("/opt/my lib.so", {"token_label": "Werk Süd", "token_serial": b"\x0102"})
    assert found.key == {"id": b"\xff\x00"}


def test_without_python_pkcs11_the_install_line_is_shown(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pkcs11", None)
    done = run("sign", bundle, "--key", URI, secret=PIN)
    assert done.exit_code == 6 and "pip install" in done.stderr and "edgener[pkcs11]" in done.stderr
