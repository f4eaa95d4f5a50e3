"""Verification of a bundle: every file is listed, and has the size and the SHA-256 of the manifest.

Of what is listed, a variant may be absent as a whole, and so may the reports.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath

from edgener_runtime.base.files import read_regular, sha256_of
from edgener_runtime.errors import BundleError

from .contents import require_graph, require_json
from .manifest import MANIFEST, FileEntry, Manifest, read_manifest
from .signatures import Policy, check_signatures, required_policy
from .signatures.format import is_signature
from .tokenizer_file import require_tokenizer
from .wire import Data

_AT_ONCE = 2  # files that are hashed at the same time; more only make a slow disk seek


def file_entry(folder: Path, path: Path) -> FileEntry:
    """The manifest's line for a file below `folder`."""
    return FileEntry(path.relative_to(folder).as_posix(), sha256_of(path), path.stat().st_size)


def verify_bundle(bundle: Path, require_signature: Path | None = None) -> Manifest:
    """The manifest of a bundle that may be used on this device: it is whole, and signed as the device's policy says.

    `require_signature` are public keys or a policy that it must fulfil too. Raises BundleError where it is not signed
    so, UserInputError for keys that cannot be read, DeviceError where nothing can verify them, and what `verify_files`
    raises.
    """
    return _verified(bundle, required_policy(require_signature))


def verify_files(bundle: Path) -> Manifest:
    """The manifest of a bundle, every file of which is there, unchanged and as the manifest says, with no other files.

    For what makes, signs or carries bundles and runs none: a policy is for those who run them, and before it is signed
    no bundle fulfils one. Raises BundleError naming the first file that is missing, changed, not listed, or does not
    fit the manifest.
    """
    return _verified(bundle, None)


def _verified(bundle: Path, policy: Policy | None) -> Manifest:
    with Verification(bundle, policy) as verification:
        verification.wait()
    return verification.manifest


def read_verified(bundle: Path, entry: FileEntry) -> bytes:
    """The bytes of a file that have the manifest's SHA-256, whatever happens to the file afterwards.

    Raises BundleError where it was changed.
    """
    path = bundle / entry.path
    with _reading(path):
        data = read_regular(path, entry.size)
    _require_hash(path, entry, sha256(data).hexdigest())
    return data


class Verification:
    """Hashing of a bundle's files in the background, as a context manager.

    All files are compared with the manifest; where a `variant` will be loaded ("auto" is most often the first), the
    graphs of others are only hashed. Raises BundleError at once where the bundle does not fulfil the policy, or where a
    file is missing, of another size, or not listed.
    """

    def __init__(self, bundle: Path, policy: Policy | None, variant: str | None = None) -> None:
        self._bundle = bundle
        self.manifest, self.entries = _listed(bundle, check_signatures(bundle, policy) if policy else None)
        self._variant = self.manifest.variants[0].name if variant == "auto" else variant
        self._graphs = {entry.file: entry for entry in reversed(self.manifest.variants)}
        self._loaded = {entry.file for entry in self.manifest.variants if entry.name == self._variant}
        self._loaded.add(self.manifest.tokenizer_entry)
        self._pool = ThreadPoolExecutor(_AT_ONCE, "edgener-verify")
        self._pending = {entry.path: self._pool.submit(self._verify, entry) for entry in self.entries}

    def __enter__(self) -> Verification:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._pending.clear()

    def take(self, entry: FileEntry) -> bytes:
        """The bytes of a file that were hashed and compared. Raises BundleError where they do not fit the manifest."""
        data = self._pending[entry.path].result()
        self._pending[entry.path] = self._pool.submit(lambda: None)  # the caller has the only copy
        return self._read(entry) if data is None else data

    def wait(self) -> None:
        """Wait for all files. Raises BundleError naming the first that does not fit the manifest."""
        for verified in self._pending.values():
            verified.result()

    def _verify(self, entry: FileEntry) -> bytes | None:
        """The bytes of a file that is loaded; others are read in parts and not kept."""
        if entry in self._loaded:
            return self._read(entry)
        path = self._bundle / entry.path
        with _reading(path):
            found = sha256_of(path)
        _require_hash(path, entry, found)
        if self._variant is None:
            with _reading(path), _mapped(path, entry.size) as data:
                self._compare(entry, data)
        return None

    def _read(self, entry: FileEntry) -> bytes:
        data = read_verified(self._bundle, entry)
        self._compare(entry, data)
        return data

    def _compare(self, entry: FileEntry, data: Data) -> None:
        """Raise BundleError where the content of a file does not fit the manifest."""
        path = self._bundle / entry.path
        if entry in self._graphs:
            require_graph(path, data, self.manifest, self._graphs[entry])
        elif entry == self.manifest.tokenizer_entry:
            require_tokenizer(path, data[:], self.manifest)
        elif path.suffix == ".json":
            require_json(path, data[:])


def entries_here(bundle: Path, manifest: Manifest) -> tuple[FileEntry, ...]:
    """The entries of the files that a bundle must have: those of the reports where any of them is there."""
    for entry in manifest.entries:
        _require_inside(bundle, entry)
    reports = any(os.path.lexists(bundle / entry.path) for entry in manifest.entries if entry.optional)
    return tuple(entry for entry in manifest.entries if reports or not entry.optional)


def _listed(bundle: Path, signed: Mapping[str, str] | None) -> tuple[Manifest, tuple[FileEntry, ...]]:
    """The manifest of a bundle that has exactly the listed files, with the listed sizes, and their entries."""
    manifest = read_manifest(bundle, signed)
    entries = entries_here(bundle, manifest)
    for entry in entries:
        _find(bundle, entry)
    listed = {MANIFEST, manifest.measured, *(entry.path for entry in entries)}
    for path in _files_below(bundle):
        name = path.relative_to(bundle).as_posix()
        if name not in listed and not is_signature(name):
            raise BundleError(f"{path} is not listed in {MANIFEST}", "Remove it, or copy the bundle again.")
    _ = manifest.tokenizer_entry  # raises here where there is none
    return manifest, entries


def _files_below(bundle: Path) -> Iterator[Path]:
    """Every file of a bundle, without recursion, which folders in folders would exhaust. Raises BundleError at a link.

    A folder whose names this user may not read, such as a disk's lost+found, has nothing that the bundle could use.
    """
    folders = [bundle]
    while folders:
        folder = folders.pop()
        with _reading(folder):
            for path in sorted(folder.iterdir()) if os.access(folder, os.R_OK) else ():
                if path.is_symlink():
                    raise BundleError(
                        f"{path} is a link, expected files and folders of the bundle's own",
                        "Copy the bundle again, without links: cp -rL",
                    )
                if path.is_dir():
                    folders.append(path)
                else:
                    yield path


def _require_inside(bundle: Path, entry: FileEntry) -> None:
    relative = PurePosixPath(entry.path)
    if relative.is_absolute() or ".." in relative.parts or "\\" in entry.path:
        raise BundleError(f"{bundle / MANIFEST} names a file outside the bundle: {entry.path}", "Export it again.")


def _find(bundle: Path, entry: FileEntry) -> None:
    path = bundle / entry.path
    with _reading(path):
        if not path.is_file():
            raise BundleError(f"{path} is missing", "Copy the bundle again.")
        size = path.stat().st_size
    if size != entry.size:
        raise BundleError(f"{path} has {size} bytes, expected {entry.size}", "Copy the bundle again.")


def _require_hash(path: Path, entry: FileEntry, found: str) -> None:
    if found != entry.sha256:
        raise BundleError(f"{path} was changed: SHA-256 {found[:12]}, expected {entry.sha256[:12]}", "Copy it again.")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}", "Check its permissions and the disk.") from None
    except ValueError as error:  # another file than the one whose size was compared
        raise BundleError(f"{path} was changed: {error}", "Copy the bundle again.") from None


@contextmanager
def _mapped(path: Path, size: int) -> Iterator[Data]:
    """The bytes of a file, which are read where they are used."""
    if not size:  # cannot be mapped
        yield b""
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data
