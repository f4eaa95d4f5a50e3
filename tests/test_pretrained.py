"""Names of models: one question to the Hub decides, and nothing is retried for minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from click.testing import CliRunner
from huggingface_hub import errors

from edgener.cli.main import main
from edgener.pretrained import resolve_model
from edgener_runtime.errors import UserInputError


class OfflineError(Exception):
    """What an HTTP library raises without a network."""


def http_error(kind: type[errors.HfHubHTTPError]) -> Exception:
    """An answer of the Hub; its classes ask for a response of the HTTP library, which differs between versions."""
    error = kind.__new__(kind)
    Exception.__init__(error, "404")
    return error


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Let the Hub answer with an error, or not at all; no model is in the cache."""
    asked: list[str] = []

    def answers(error: Exception | None) -> list[str]:
        def metadata(url: str, timeout: float) -> None:
            asked.append(url)
            if error:
                raise error

        monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", metadata)
        return asked

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *args: None)
    return answers


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (
            OfflineError("no route"),
            "cannot be asked for a model of that name: OfflineError: no route",
            "and the network",
        ),
        (http_error(errors.RepositoryNotFoundError), "neither a folder some/thng nor a model", "Check its spelling"),
        (http_error(errors.GatedRepoError), "some/thng needs your account", "hf auth login"),
    ],
)
def test_a_name_that_no_model_has_is_refused_at_once(hub: Any, error: Exception, message: str, hint: str) -> None:
    asked = hub(error)
    with pytest.raises(UserInputError) as refused:
        resolve_model("some/thng")
    assert message in refused.value.message and refused.value.hint and hint in refused.value.hint
    assert len(asked) == 1 and "some/thng" in asked[0]


def test_a_name_that_cannot_be_one_is_refused_without_asking(hub: Any) -> None:
    asked = hub(None)
    with pytest.raises(UserInputError, match="neither a folder my model nor a model of that name"):
        resolve_model("my model")
    assert not asked


@pytest.mark.parametrize("error", [None, http_error(errors.EntryNotFoundError)])
def test_a_name_that_the_hub_knows_is_left_to_the_loaders(hub: Any, error: Exception | None) -> None:
    hub(error)
    assert resolve_model("some/thing") == "some/thing"


def test_without_a_network_an_earlier_download_is_used(
    hub: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub(OfflineError())
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *args: str(tmp_path / "config.json"))
    assert resolve_model("some/thing") == str(tmp_path)


def test_the_commands_print_one_error(hub: Any, tmp_path: Path) -> None:
    hub(OfflineError("no route"))
    for arguments in (["train", "--out", str(tmp_path / "a"), "--model"], ["data", "inspect", "--tokenizer"]):
        done = CliRunner().invoke(main, [*arguments, "bert-base-uncasedd", "--data", "builtin:factory"])
        assert done.exit_code == 2 and "Retry" not in done.output
        assert "there is no folder bert-base-uncasedd" in " ".join(done.output.split())
