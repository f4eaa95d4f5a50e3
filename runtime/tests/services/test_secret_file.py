"""Tokens, passwords and keys that others may change are refused, and those that all may read are reported."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("paho")
if os.name != "posix":
    pytest.skip("permissions are those of POSIX", allow_module_level=True)

from edgener_runtime.errors import UserInputError
from edgener_runtime.services.http.auth import read_token
from edgener_runtime.services.http.connections.bind import TlsFiles, open_listener
from edgener_runtime.services.mqtt.broker import read_password
from edgener_runtime.services.secret_file import check_secret_file

READERS: dict[str, Callable[[Path], object]] = {
    "token": read_token,
    "password": read_password,
    "key": lambda file: open_listener("127.0.0.1", 0, None, TlsFiles(file, file)),
}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("s3cret")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("mode", [0o666, 0o622, 0o660, 0o602])
def test_a_secret_that_others_may_change_is_refused(reader: str, mode: int, secret: Path) -> None:
    secret.chmod(mode)
    with pytest.raises(UserInputError, match=f"others may change it: its mode is {mode:04o}") as raised:
        READERS[reader](secret)
    assert raised.value.hint == f"Correct it: chmod 600 {secret}"


@pytest.mark.parametrize("mode", [0o644, 0o604])
def test_a_secret_that_all_may_read_is_reported(mode: int, secret: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret.chmod(mode)
    assert read_token(secret) == read_password(secret) == "s3cret"
    assert caplog.text.count(f"every user may read it: its mode is {mode:04o}. Correct it: chmod 600 {secret}") == 2


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o640])
def test_a_secret_of_the_owner_and_a_group_is_taken(mode: int, secret: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret.chmod(mode)
    with caplog.at_level(logging.DEBUG):
        assert read_token(secret) == "s3cret"
    assert not caplog.text


def test_a_link_is_judged_by_its_file(secret: Path) -> None:
    """As containers mount secrets: a link's own mode is 0777."""
    link = secret.with_name("link")
    link.symlink_to(secret)
    assert read_token(link) == "s3cret"
    secret.chmod(0o666)
    with pytest.raises(UserInputError, match="others may change it"):
        read_token(link)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_secret_of_another_user_is_refused(secret: Path) -> None:
    os.chown(secret, 12345, -1)
    with pytest.raises(UserInputError, match="belongs to another user"):
        check_secret_file(secret)


def test_a_path_without_a_file_is_left_to_its_reader(tmp_path: Path) -> None:
    check_secret_file(tmp_path / "missing")
    check_secret_file(tmp_path)
    check_secret_file(Path(os.devnull))
