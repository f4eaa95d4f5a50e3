"""A hostile archive for a device without a network: nothing outside of it is read, and no member is unbounded."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgener_runtime.errors import EdgenerError

from .bench import Device, Publisher, variants

pytestmark = pytest.mark.trust
TIMESTAMP = "metadata/timestamp.json"


def linked(kind: bytes, target: str) -> Callable[[tarfile.TarInfo, bytes], list[tuple[tarfile.TarInfo, bytes]]]:
    def change(member: tarfile.TarInfo, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        member.type, member.linkname, member.size = kind, target, 0
        return [(member, b"")]

    return change


def renamed(name: str) -> Callable[[tarfile.TarInfo, bytes], list[tuple[tarfile.TarInfo, bytes]]]:
    def change(member: tarfile.TarInfo, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        member.name = name
        return [(member, data)]

    return change


def sparse(member: tarfile.TarInfo, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    """A terabyte of zeros in some bytes of archive."""
    member.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 40)}
    member.size = 0
    return [(member, b"")]


def twice(member: tarfile.TarInfo, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    """The right one first, and another one under the same name after it."""
    again = tarfile.TarInfo(member.name)
    again.size = len(data)
    return [(member, data), (again, bytes(len(data)))]


HOSTILE = {
    "a symbolic link": linked(tarfile.SYMTYPE, "/etc/hostname"),
    "a link to itself": linked(tarfile.SYMTYPE, "timestamp.json"),
    "a hard link": linked(tarfile.LNKTYPE, "../../etc/hostname"),
    "a device": linked(tarfile.CHRTYPE, ""),
    "a pipe": linked(tarfile.FIFOTYPE, ""),
    "a folder": linked(tarfile.DIRTYPE, ""),
    "an absolute path": renamed(f"/{TIMESTAMP}"),
    "a path outside": renamed(f"../../{TIMESTAMP}"),
    "a terabyte of zeros": sparse,
    "two of a name": twice,
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_is_refused(
    publisher: Publisher,
    device: Device,
    tmp_path: Path,
    change: Callable[[tarfile.TarInfo, bytes], list[tuple[tarfile.TarInfo, bytes]]],
) -> None:
    publisher.publish(variants())
    with tarfile.open(tmp_path / "updates.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(path for path in publisher.folder.rglob("*") if path.is_file()):
            member, data = tarfile.TarInfo(path.relative_to(publisher.folder).as_posix()), path.read_bytes()
            member.size = len(data)
            for each, content in change(member, data) if member.name == TIMESTAMP else [(member, data)]:
                archive.addfile(each, io.BytesIO(content))
    device.source = tmp_path / "updates.tar"
    with pytest.raises(EdgenerError) as caught:
        device.pull(publisher.root)
    assert caught.value.hint and not device.bundle.exists()
    assert not (tmp_path / TIMESTAMP).exists() and not (tmp_path.parent / TIMESTAMP).exists()
    device.source = publisher.folder
    assert device.pull(publisher.root).state == "updated"
