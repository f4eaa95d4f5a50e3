from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from edgener.fleet.hosts import INSTALLS, Host, read_hosts
from edgener_runtime.errors import UserInputError

FULL = """
defaults:
  user: edge
  key: keys/id_ed25519
  timeout: 900
hosts:
  - address: 192.0.2.10
  - name: orin
    address: orin.local
    port: 2222
    user: nvidia
    known_hosts: ~/.ssh/fleet
    python: ~/bench/bin/python
    install: everything
    wheels: wheels/aarch64
    folder: /data
    timeout: 1800.5
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "hosts.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_devices_have_their_own_values_above_those_of_all(tmp_path: Path) -> None:
    one, orin = read_hosts(written(tmp_path, FULL))
    key = str(tmp_path / "keys/id_ed25519")
    assert one == Host("192.0.2.10", "192.0.2.10", user="edge", key=key, timeout=900)
    assert orin == Host(
        "orin", "orin.local", 2222, "nvidia", key, str(Path("~/.ssh/fleet").expanduser()), "~/bench/bin/python",
        "everything", str(tmp_path / "wheels/aarch64"), "/data", 1800.5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("host", "target"),
    [
        (Host("a", "a.local"), "a.local"),
        (Host("a", "a.local", user="pi"), "pi@a.local"),
        (Host("a", "a.local", 2222, "pi"), "-p 2222 pi@a.local"),
    ],
)
def test_a_device_is_named_as_ssh_takes_it(host: Host, target: str) -> None:
    assert host.target == target


def test_an_address_that_cannot_be_a_file_name_is_changed_into_one(tmp_path: Path) -> None:
    [host] = read_hosts(written(tmp_path, 'hosts:\n  - address: "fe80::1%eth0"\n'))
    assert host.name == "fe80--1-eth0"


FAULTS = {
    "no list": ("hosts:\n", "1: hosts: found '', expected a list with a device or more"),
    "an empty list": ("hosts: []\n", "1: hosts: found a list, expected a list with a device or more"),
    "no hosts": ("defaults: {}\n", "1: found defaults, expected a list of devices under 'hosts'"),
    "a list alone": ("- address: a\n", "1: found a list, expected keys and values"),
    "a text as device": ("hosts:\n  - pi.local\n", "2: found 'pi.local', expected keys and values"),
    "no address": ("hosts:\n  - name: pi\n", "2: found no 'address'"),
    "a wrong key": ("hosts:\n  - address: a\n    prot: 22\n", "3: found the key 'prot', expected 'port'?"),
    "a strange key": ("hosts:\n  - address: a\n    xyz: 1\n", "3: found the key 'xyz', expected one of name, address"),
    "a key twice": ("hosts:\n  - address: a\n    address: b\n", "3: found 'address' a second time"),
    "a port too high": ("hosts:\n  - address: a\n    port: 65536\n", "3: port: found 65536, expected a port from 1"),
    "a port in words": ("hosts:\n  - address: a\n    port: ssh\n", "3: port: found 'ssh', expected a port from 1"),
    "a port that is true": ("hosts:\n  - address: a\n    port: yes\n", "3: port: found True, expected a port from 1"),
    "a number as user": ("hosts:\n  - address: a\n    user: 12\n", "3: user: found 12, expected a text"),
    "a list as user": ("hosts:\n  - address: a\n    user: [b]\n", "3: user: found a list, expected a text"),
    "an option as address": ("hosts:\n  - address: -oX=y\n", "2: address: found '-oX=y', expected a host's name"),
    "a path as name": ("hosts:\n  - address: a\n    name: ../x\n", "3: name: found '../x', expected letters"),
    "an unknown install": (
        "hosts:\n  - address: a\n    install: pip\n",
        "3: install: found 'pip', expected one of run",
    ),
    "no time": ("hosts:\n  - address: a\n    timeout: 0\n", "3: timeout: found 0, expected seconds, more than 0"),
    "a name twice": (
        "hosts:\n  - address: a\n  - address: b\n    name: a\n",
        "3: found 'a' again, expected a different name",
    ),
    "wheels for nothing": ("hosts:\n  - address: a\n    wheels: w\n", "2: found 'wheels', expected install: every"),
    "a name for all": ("defaults: {name: a}\nhosts:\n  - address: a\n", "1: found the key 'name'"),
    "no YAML": ("hosts:\n  - address: [a\n", "3: not YAML: "),
    "an empty value": ("hosts:\n  - address: a\n    user:\n", "3: user: found '', expected a text"),
    "a tag of Python's": ("hosts:\n  - address: !!python/name:os.system a\n", "2: address: found "),
}


@pytest.mark.parametrize(("text", "says"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_reported_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(UserInputError) as raised:
        read_hosts(file)
    assert raised.value.message.startswith(f"{file}:{says}")
    assert raised.value.hint


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "is empty"), (b"# nothing\n", "is empty"), (b"\xff\xfe", "not UTF-8 at byte 0")]
)
def test_what_is_not_a_text_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "hosts.yaml"
    file.write_bytes(content)
    with pytest.raises(UserInputError, match=says):
        read_hosts(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"cannot read .*none\.yaml: No such file"):
        read_hosts(tmp_path / "none.yaml")


def test_the_page_has_an_example_that_is_read_and_every_key(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "fleet.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert [host.name for host in read_hosts(written(tmp_path, example))] == ["pi5.local", "orin"]
    keys = [*(field.name for field in fields(Host)), *INSTALLS]
    assert [name for name in keys if f"`{name}`" not in page] == []
