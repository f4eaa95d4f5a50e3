from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgener.fleet.task import bench_task
from edgener_runtime.commissioning.bench.results.record import parse_result
from edgener_runtime.errors import BundleError, UserInputError

BUNDLE = Path(__file__).resolve().parents[2] / "runtime" / "tests" / "bundle"
SPEC = {"seconds": 2, "variants": ["int8-dynamic"], "scenarios": ["single-stream"], "threads": [1], "name": "node"}


@pytest.mark.parametrize("uri", [str(BUNDLE), BUNDLE.as_uri()], ids=["path", "URI"])
def test_the_result_is_one_of_a_bench(uri: str) -> None:
    found = parse_result(json.dumps(bench_task(uri, SPEC)), "the task's")
    assert found.name == "node" and [row.case.variant for row in found.rows] == ["int8-dynamic"]
    assert found.rows[0].figures and not found.partial


@pytest.mark.parametrize("uri", ["https://example.org/bundle", "s3://bucket/bundle", "file://other/bundle"])
def test_a_bundle_elsewhere_is_not_fetched(uri: str) -> None:
    with pytest.raises(UserInputError, match="expected a path or file: URI"):
        bench_task(uri, {})


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"secnods": 3}, "unknown field 'secnods'"),
        ({"seconds": "3"}, 'expected a number, found "3"'),
        ({"scenarios": ["fastest"]}, "there is no scenario 'fastest'"),
        ({"seconds": -1}, "seconds is -1"),
        ({"name": Path("x")}, "the spec is not JSON"),
    ],
)
def test_a_spec_with_a_fault_is_refused(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(UserInputError, match=says):
        bench_task(str(BUNDLE), spec)


def test_a_folder_that_is_not_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        bench_task(str(tmp_path), {})
