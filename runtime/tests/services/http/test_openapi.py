"""The server against its own OpenAPI document: data that fit it, and data that do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from .running import Running, serving

pytest.importorskip("starlette", reason="the extra serve is not installed")
schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

MODELS = ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
PATHS = {
    "/healthz", "/readyz", "/metrics", "/predict", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/repository/index",
    *(model + end for model in MODELS for end in ("", "/ready", "/infer")),
}  # fmt: skip
CONTROL = {"/v2/repository/models/{model}/load", "/v2/repository/models/{model}/unload"}
FEW = settings(
    max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate], derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.fixture(scope="module")
def api(server: Running) -> Any:
    """The document as schemathesis reads it."""
    refused = {"negative_data_rejection": {"expected-statuses": [400, 401, 404, 413, 415, 422]}}
    config = schemathesis.Config.from_dict({"checks": refused})
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json", config=config)


@pytest.fixture
def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def operations(api: Any) -> Iterator[Any]:
    for found in api.get_all_operations():
        yield found.ok()


def ask_each(api: Any, mode: Any, bearer: dict[str, str], *left_out: Any) -> dict[str, set[int]]:
    """The statuses of each path, every answer checked against the document and schemathesis' own checks."""
    statuses: dict[str, set[int]] = {}
    for operation in operations(api):
        if mode is schemathesis.GenerationMode.NEGATIVE and not (operation.body or operation.path_parameters):
            continue  # nothing to get wrong

        @FEW
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            answer = case.call_and_validate(headers=bearer, excluded_checks=list(left_out))
            statuses.setdefault(case.operation.path, set()).add(answer.status_code)

        ask()
    return statuses


def test_the_document_names_every_path_for_programs(api: Any) -> None:
    assert {operation.path for operation in operations(api)} == PATHS


def test_data_that_fit_are_answered(api: Any, bearer: dict[str, str]) -> None:
    acceptance = schemathesis.checks.CHECKS.get_one("positive_data_acceptance")  # a shape may not be that of the data
    statuses = ask_each(api.exclude(path_regex="infer$"), schemathesis.GenerationMode.POSITIVE, bearer)
    assert set().union(*statuses.values()) == {200}
    statuses = ask_each(api.include(path_regex="infer$"), schemathesis.GenerationMode.POSITIVE, bearer, acceptance)
    assert set().union(*statuses.values()) == {200, 422}


def test_data_that_do_not_fit_are_refused(api: Any, bearer: dict[str, str]) -> None:
    statuses = ask_each(api, schemathesis.GenerationMode.NEGATIVE, bearer)
    assert statuses.keys() == {path for path in PATHS if "{" in path or path in ("/predict", "/v2/repository/index")}
    assert {401, 422} <= statuses["/predict"]
    assert all(status < 500 for found in statuses.values() for status in found)


def test_the_document_of_several_models_is_what_the_server_does(
    bundle: Path, token: str, bearer: dict[str, str]
) -> None:
    both = {"one": bundle, "two": bundle}
    with serving(both, "--max-text", 500, "--queue", 32, "--model-control", token=token) as own:
        several = schemathesis.openapi.from_url(f"{own.url}/openapi.json")
        assert {operation.path for operation in operations(several)} == PATHS | CONTROL
        several = several.include(path_regex="predict|repository")
        statuses = ask_each(several, schemathesis.GenerationMode.POSITIVE, bearer)
        assert statuses == {path: {200} for path in {"/predict", "/v2/repository/index"} | CONTROL}
        assert own.stop()[0] == 0


def test_who_bears_no_token_gets_only_what_the_document_calls_open(api: Any) -> None:
    for operation in operations(api):
        is_open = operation.definition.raw.get("security") == []
        answer = operation.Case(path_parameters={"model": "tiny-factory", "version": "1"}).call()
        assert (answer.status_code == 401) != is_open, operation.path
