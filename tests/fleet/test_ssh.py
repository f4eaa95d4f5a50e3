"""Failures to reach a device, each with its reason and the next command."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgener.fleet.device_session import start_session
from edgener.fleet.hosts import Host
from edgener.fleet.ssh import check_asyncssh, connected
from edgener_runtime.base.install import BUILD_SIDE, install_line
from edgener_runtime.errors import DeviceError, UserInputError

from .devices import KEYGEN, Device, Keys, device, make_key, make_keys


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Device]:
    with device("pi", tmp_path_factory.mktemp("devices"), keys) as found:
        yield found


def refusal(host: Host) -> DeviceError:
    async def visit() -> None:
        async with connected(host) as connection:
            await start_session(host, connection)

    with pytest.raises(DeviceError) as raised:
        asyncio.run(visit())
    assert raised.value.exit_code == 6
    return raised.value


def test_a_port_where_nobody_listens(pi: Device) -> None:
    error = refusal(replace(pi.host, port=1))
    assert error.message == "cannot reach -p 1 127.0.0.1: Connection refused"
    assert error.hint and error.hint.startswith("Try: ssh -i ")


def test_an_address_that_is_none(pi: Device) -> None:
    assert refusal(replace(pi.host, address="no.such.host.invalid")).message.startswith("cannot reach")


def test_a_key_that_is_not_known_there(pi: Device, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    error = refusal(replace(pi.host, key=str(other)))
    assert f"accepts none of the offered keys ({other})" in error.message
    assert error.hint and error.hint.startswith("Copy the key there: ssh-copy-id -i ")


def test_a_key_that_is_not_there(pi: Device, tmp_path: Path) -> None:
    assert "No such file" in refusal(replace(pi.host, key=str(tmp_path / "none"))).message


def test_a_key_with_a_passphrase(pi: Device, keys: Keys, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.write_bytes(keys.key.read_bytes())
    locked.chmod(0o600)
    subprocess.run([str(KEYGEN), "-q", "-p", "-P", "", "-N", "secret", "-f", locked], check=True)
    error = refusal(replace(pi.host, key=str(locked)))
    assert "passphrase" in error.message.lower() and error.hint and "ssh-add" in error.hint


@pytest.mark.parametrize("there", [True, False], ids=["another file", "no file"])
def test_a_host_key_that_is_not_known_is_not_trusted(pi: Device, tmp_path: Path, there: bool) -> None:
    file = tmp_path / "known"
    if there:
        file.write_text("")
    error = refusal(replace(pi.host, known_hosts=str(file)))
    assert error.message == f"the host key of {pi.host.target} is not in {file}"
    assert error.hint and f"ssh -o UserKnownHostsFile={file} -i {pi.host.key} {pi.host.target} true" in error.hint


def test_a_host_key_that_has_changed_is_reported_as_such(pi: Device, keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text(f"[127.0.0.1]:{pi.host.port} {keys.key.with_suffix('.pub').read_text()}")
    error = refusal(replace(pi.host, known_hosts=str(file)))
    assert "has another host key than" in error.message
    assert error.hint == f"If you know why: ssh-keygen -f {file} -R '[127.0.0.1]:{pi.host.port}'"


def test_a_python_that_is_not_there(pi: Device) -> None:
    error = refusal(replace(pi.host, python="/opt/none/python3"))
    assert "/opt/none/python3 does not run on 127.0.0.1:" in error.message and "o such file" in error.message


def test_a_folder_that_is_not_there(pi: Device) -> None:
    error = refusal(replace(pi.host, folder="/none such"))
    assert "cannot make a folder: No such file or directory (/none such/edgener-visit-" in error.message


def test_the_extra_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(UserInputError) as raised:
        check_asyncssh()
    assert raised.value.hint == install_line("fleet", BUILD_SIDE)
