"""The socket of a server: public addresses without a token, addresses that fail, and TLS."""

from __future__ import annotations

import contextlib
import os
import pty
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.errors import UserInputError
from edgener_runtime.services.http.connections.bind import TlsFiles, open_listener

from .running import COMMAND, OPENSSL, SECONDS, certificate, serving

pytest.importorskip("starlette", reason="the extra serve is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")

needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="no openssl on this machine")
Run = Callable[..., Any]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_a_public_address_without_a_token_is_refused_with_the_next_step(host: str) -> None:
    with pytest.raises(UserInputError, match="can be reached from other machines") as refused:
        open_listener(host, 0, token=None)
    assert "--token-file" in str(refused.value.hint)


def test_the_command_refuses_before_it_loads_the_bundle(tmp_path: Path, run: Run) -> None:
    done = run("serve", tmp_path / "no-bundle", "--host", "0.0.0.0", "--port", 0)
    assert done.code == 2
    assert "can be reached from other machines" in done.err


def test_a_public_address_with_a_token_is_taken() -> None:
    with open_listener("0.0.0.0", 0, token="secret") as listener:
        assert listener.is_public


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_a_loopback_address_needs_no_token(host: str) -> None:
    with open_listener(host, 0, token=None) as listener:
        assert not listener.is_public
        assert listener.url.startswith("http://")


def test_a_port_in_use_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserInputError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            open_listener("127.0.0.1", port, token=None)


@pytest.mark.parametrize("host", ["no such host", "a" * 300, "host.invalid"])
def test_an_unknown_host_is_an_error(host: str) -> None:
    with pytest.raises(UserInputError, match="there is no host"):
        open_listener(host, 0, token="secret")


# --- TLS


@needs_openssl
def test_a_server_with_a_certificate_speaks_tls_and_nothing_else(bundle: Path, tls: TlsFiles) -> None:
    with serving(bundle, "--tls-certificate", tls.certificate, "--tls-key", tls.key) as running:
        assert running.url.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(tls.certificate))
        answer = httpx.post(f"{running.url}/predict", json={"text": "oil leak"}, verify=trusted)
        assert answer.json()["entities"]
        with pytest.raises(httpx.HTTPError):
            httpx.get(running.url.replace("https", "http"))
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(running.url)
        assert running.stop()[0] == 0


@needs_openssl
@pytest.mark.timing
def test_clients_that_never_finish_their_handshake_take_no_place_for_long(bundle: Path, tls: TlsFiles) -> None:
    options = ["--tls-certificate", tls.certificate, "--tls-key", tls.key, "--header-timeout", 2]
    with serving(bundle, *options, files=200) as running, contextlib.ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=60)) for _ in range(260)
        ]
        trusted = ssl.create_default_context(cafile=str(tls.certificate))
        assert httpx.get(f"{running.url}/readyz", verify=trusted, timeout=60).status_code == 200
        assert all(connection.recv(1) == b"" for connection in silent[-20:])
        assert running.stop()[0] == 0
    assert "Traceback" not in "".join(running.log)
    assert len("".join(running.log)) < 8000


@needs_openssl
def test_a_key_of_another_certificate_is_refused(tls: TlsFiles, tmp_path: Path) -> None:
    mixed = TlsFiles(tls.certificate, certificate(tmp_path).key)
    with pytest.raises(UserInputError, match=r"cannot use certificate .*cert.pem with key .*key.pem"):
        open_listener("127.0.0.1", 0, None, mixed)


@needs_openssl
def test_a_key_with_a_password_is_refused_and_no_terminal_is_asked(tls: TlsFiles, tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    words = [str(OPENSSL), "ec", "-in", str(tls.key), "-aes256", "-passout", "pass:word", "-out", str(locked)]
    subprocess.run(words, check=True, capture_output=True)
    ours, terminal = pty.openpty()
    options = ["--tls-certificate", str(tls.certificate), "--tls-key", str(locked)]
    done = subprocess.run(
        [*COMMAND, "serve", str(tmp_path), *options], stdin=terminal, stdout=terminal, stderr=subprocess.PIPE,
        text=True, start_new_session=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "cannot use certificate" in done.stderr
    os.close(ours)
    os.close(terminal)


def test_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="No such file"):
        open_listener("127.0.0.1", 0, None, TlsFiles(tmp_path / "a", tmp_path / "b"))


def test_a_certificate_without_a_key_is_refused(tmp_path: Path, run: Run) -> None:
    done = run("serve", tmp_path, "--tls-certificate", tmp_path / "cert.pem")
    assert done.code == 2
    assert "together" in done.err
