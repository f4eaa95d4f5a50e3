"""A wheel of the edgener-runtime that is installed here, made from its files."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import edgener_runtime
from edgener_runtime.errors import UserInputError

_TAG = "py3-none-any"
_WHEEL = f"Wheel-Version: 1.0\nGenerator: edgener\nRoot-Is-Purelib: true\nTag: {_TAG}\n"


def runtime_wheel(folder: Path) -> Path:
    """Write a wheel of the installed files into `folder`, also from a checkout of the sources.

    Raises UserInputError if the installation is damaged.
    """
    found = metadata.distribution("edgener-runtime")
    text = found.read_text("METADATA")
    if text is None:
        raise UserInputError("the installed edgener-runtime has no METADATA", "Install it again, or give --wheel FILE.")
    stem = f"edgener_runtime-{found.version}"
    info = f"{stem}.dist-info"
    files = dict(_sources()) | {
        f"{info}/METADATA": text.encode(),
        f"{info}/WHEEL": _WHEEL.encode(),
        f"{info}/entry_points.txt": (found.read_text("entry_points.txt") or "").encode(),
    }
    record = "".join(f"{name},{_digest(content)},{len(content)}\n" for name, content in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = folder / f"{stem}-{_TAG}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return wheel


def check_wheel(path: Path) -> Path:
    """The wheel at a path. Raises UserInputError if it is not one of edgener-runtime."""
    if not (path.name.startswith("edgener_runtime-") and path.suffix == ".whl" and zipfile.is_zipfile(path)):
        raise UserInputError(f"{path} is not a wheel of edgener-runtime", "Leave out --wheel to use the installed one.")
    return path


def _sources() -> Iterator[tuple[str, bytes]]:
    root = Path(edgener_runtime.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield f"edgener_runtime/{path.relative_to(root).as_posix()}", path.read_bytes()


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
