"""A publisher and a device, as small as they can be: bundles are folders whose files the test chooses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tuf.ngclient import FetcherInterface, Updater

from edgener.publish.keys import ROLES, Keyring, read_keyring
from edgener.publish.publish import Published, publish, refresh, rotate
from edgener_runtime.errors import BundleError
from edgener_runtime.updates.destination import FolderDestination
from edgener_runtime.updates.pull import PullRequest, PullResult, pull
from edgener_runtime.updates.transports.base import TransferBounds

QUICK = TransferBounds(timeout=5.0, pause=0.0)
COMMON = {"tokenizer.json": b"tokens" * 5000}
Files = Mapping[str, Mapping[str, bytes]]


def make_keys(folder: Path, roles: Mapping[str, int] | None = None) -> Path:
    """A folder with keys of the roles, so many of each."""
    folder.mkdir(parents=True, exist_ok=True)
    for role, count in (roles or dict.fromkeys(ROLES, 1)).items():
        for number in range(count):
            write_key(folder / f"{role}-{number}")
    return folder


def write_key(path: Path, curve: ec.EllipticCurve | None = None, password: bytes = b"") -> None:
    """A pair of keys, as edgener keygen writes them."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    path.with_name(f"{path.name}.key").write_bytes(private)
    path.with_name(f"{path.name}.key").chmod(0o600)
    path.with_name(f"{path.name}.pub").write_bytes(public)


def keyring(folder: Path) -> Keyring:
    """The keys of a folder, which have no passwords."""
    return read_keyring([folder], lambda name: "")


def variants(**changed: bytes) -> dict[str, dict[str, bytes]]:
    """Two variants of a model; what is given replaces the weights of one."""
    weights = {"fp32": b"f" * 400_000, "int8": b"i" * 120_000, **changed}
    return {name: {f"variants/{name}.onnx": content} for name, content in weights.items()}


def write_bundle(folder: Path, files: Files, common: Mapping[str, bytes] = COMMON) -> Path:
    """A bundle whose root manifest is the same whichever variants are there."""
    every = {path: content for own in files.values() for path, content in own.items()} | dict(common)
    listed = {name: sorted(own) for name, own in files.items()}
    digests = {path: len(content) + sum(content[:64]) + hash_of(content) for path, content in sorted(every.items())}
    for path, content in every.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    manifest = {"common": sorted(common), "variants": listed, "digests": digests}
    (folder / "manifest.json").write_text(json.dumps(manifest, sort_keys=True))
    return folder


def hash_of(content: bytes) -> int:
    """A number for a content."""
    import zlib

    return zlib.crc32(content)


def slim(bundle: Path, variant: str, out: Path) -> None:
    """The smallest bundle of a variant."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    for path in ("manifest.json", *manifest["common"], *manifest["variants"][variant]):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle / path, out / path)


def verify(bundle: Path) -> None:
    """Raise BundleError where a bundle is not whole."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    for path in manifest["common"]:
        if not (bundle / path).is_file():
            raise BundleError(f"{path} is missing")
    for path in bundle.rglob("*.onnx"):
        name = path.relative_to(bundle).as_posix()
        content = path.read_bytes()
        if manifest["digests"][name] != len(content) + sum(content[:64]) + hash_of(content):
            raise BundleError(f"{name} was changed")


@dataclass
class Publisher:
    """Publishes bundles of chosen files into one repository."""

    folder: Path
    keys: Path
    count: int = 0

    @property
    def root(self) -> Path:
        """The first root."""
        return self.folder / "metadata" / "1.root.json"

    def publish(self, files: Files, common: Mapping[str, bytes] = COMMON, **options: Any) -> Published:
        """Publish a bundle; options: channel, share, days, thresholds, keys."""
        self.count += 1
        bundle = write_bundle(self.folder.with_name(f"bundle-{self.count}"), files, common)
        manifest: Any = SimpleNamespace(name="ner", variants=[SimpleNamespace(name=name) for name in files])
        ring = keyring(options.pop("keys", self.keys))
        chosen = {"channel": "stable", "share": 100.0, "days": 14, "thresholds": {}, **options}
        return publish(bundle, manifest, slim, self.folder, keys=ring, **chosen)

    def refresh(self, days: int = 14) -> None:
        """Sign the timestamp again."""
        refresh(self.folder, keyring(self.keys), days)

    def rotate(self, new: Path, thresholds: Mapping[str, int] | None = None) -> None:
        """Replace all keys."""
        rotate(self.folder, keyring(new), keyring(self.keys), 14, thresholds or {})
        self.keys = new

    def save(self, name: str) -> Path:
        """A copy of the repository as it is now."""
        return Path(shutil.copytree(self.folder, self.folder.with_name(name)))


@dataclass
class Device:
    """Pulls one variant into one folder."""

    home: Path
    source: Path | str
    variant: str = "int8"
    name: str = "device-1"
    bounds: TransferBounds = field(default_factory=lambda: QUICK)

    @property
    def bundle(self) -> Path:
        """The folder of its bundle."""
        return self.home / "bundle"

    @property
    def state(self) -> Path:
        """What it trusted and fetched."""
        return self.home / "state"

    def pull(self, root: Path | None = None, **options: Any) -> PullResult:
        """Pull; options are those of PullRequest."""
        chosen: dict[str, Any] = {"variant": self.variant, "channel": "stable", "device": self.name, **options}
        accept = chosen.pop("verify", verify)
        request = PullRequest(str(self.source), bounds=self.bounds, **chosen)
        return pull(request, FolderDestination(self.bundle, accept), self.state, root)

    def files(self) -> dict[str, bytes]:
        """The files of its bundle."""
        found = (path for path in self.bundle.rglob("*") if path.is_file())
        return {path.relative_to(self.bundle).as_posix(): path.read_bytes() for path in sorted(found)}


class FolderFetcher(FetcherInterface):
    """The least that python-tuf's own client needs to read a repository in a folder."""

    def _fetch(self, url: str) -> Any:
        from tuf.api.exceptions import DownloadHTTPError

        path = Path(url)
        if not path.is_file():
            raise DownloadHTTPError("missing", 404)
        return iter([path.read_bytes()])


def plain_client(repository: Path, home: Path, root: bytes) -> Updater:
    """python-tuf's own client, without anything of ours."""
    for name in ("metadata", "targets"):
        (home / name).mkdir(parents=True, exist_ok=True)
    return Updater(
        str(home / "metadata"), f"{repository}/metadata", str(home / "targets"), f"{repository}/targets",
        FolderFetcher(), bootstrap=root,
    )  # fmt: skip
