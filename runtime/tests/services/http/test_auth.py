"""The bearer token: where it is read, who may do without, and what every answer carries."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime.errors import UserInputError

auth = pytest.importorskip("edgener_runtime.services.http.auth", reason="the extra serve is not installed")
pytest.importorskip("httpx", reason="starlette's test client needs httpx")

TEXT = {"text": "oil leak"}


@pytest.mark.parametrize(
    "given",
    [None, "", "Bearer", "Bearer ", "Bearer secre", "Bearer secret2", "Basic secret", "secret", "Bearer sécret"],
)
def test_who_bears_no_token_or_another_is_turned_away(given: str | None, client_of: Callable[..., Any]) -> None:
    headers = {} if given is None else {"Authorization": given.encode("latin-1")}
    answer = client_of("secret").post("/predict", json=TEXT, headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json()["error"] == "a bearer token is required"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_who_bears_the_token_is_answered(scheme: str, client_of: Callable[..., Any]) -> None:
    answer = client_of("secret").post("/predict", json=TEXT, headers={"Authorization": f"{scheme} secret"})
    assert answer.status_code == 200


def test_tokens_are_compared_in_constant_time(client_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *both: compared.append(both) or False)
    answer = client_of("secret").post("/predict", json=TEXT, headers={"Authorization": "Bearer secret"})
    assert answer.status_code == 401
    assert compared == [(b"secret", b"secret")]


@pytest.mark.parametrize("path", ["/metrics", "/v2", "/v2/models/tiny-factory", "/nothing", "//", "/readyz/", "/page"])
def test_a_path_is_closed_unless_it_is_listed_as_open(path: str, client_of: Callable[..., Any]) -> None:
    assert client_of("secret").get(f"http://testserver{path}").status_code == 401


@pytest.mark.parametrize("path", sorted(auth.PUBLIC))
def test_the_page_and_the_probes_are_open(path: str, client_of: Callable[..., Any]) -> None:
    assert client_of("secret").get(path).status_code == 200


@pytest.mark.parametrize("path", ["/", "/nothing", "/healthz"])
def test_every_answer_says_what_a_browser_may_do_with_it(path: str, client: Any) -> None:
    headers = client.get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    assert "Access-Control-Allow-Origin" not in headers


# --- where a token is read


def test_a_token_is_read_from_a_file_before_the_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(" s3cret\n", encoding="utf-8")
    assert auth.read_token(tmp_path / "token", {"EDGENER_TOKEN": "other"}) == "s3cret"
    assert auth.read_token(None, {"EDGENER_TOKEN": "other"}) == "other"
    assert auth.read_token(None, {}) is None


@pytest.mark.parametrize("token", ["", " \n", "two words", "schlüssel", "a\tb", "\x00"])
def test_what_cannot_be_a_token_is_refused_with_a_way_to_make_one(token: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token, encoding="utf-8")
    for file, environment in ((tmp_path / "token", {}), (None, {"EDGENER_TOKEN": token})):
        with pytest.raises(UserInputError, match="has no token") as refused:
            auth.read_token(file, environment)
        assert "token_urlsafe" in str(refused.value.hint)


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"cannot read the token in .*nowhere"):
        auth.read_token(tmp_path / "nowhere", {})


def test_a_token_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(UserInputError, match="cannot read the token"):
        auth.read_token(tmp_path / "token", {})
