"""Users who type-check their code see our types: mypy --strict reads them from the installed wheels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Environment, third_party

USER_CODE = """\
from pathlib import Path

from edgener.data.read import DataSpec, read_split
from edgener_exporters.variants import VARIANTS
from edgener_runtime import Decoding, Entity, TokenClassifier

texts = [sentence.text for sentence in read_split(DataSpec("builtin:factory"), "test").sentences]
precisions: dict[str, str] = {name: variant.precision for name, variant in VARIANTS.items()}
with TokenClassifier.load(Path("bundle"), "cpu") as classifier:
    found: list[list[Entity]] = classifier.predict_batch(texts, Decoding("first"))
"""


@pytest.fixture(scope="module")
def environment(dist: Path, make_environment: Callable[[], Environment]) -> Environment:
    made = make_environment()
    made.borrow(third_party())
    made.install("--no-deps", *dist.glob("*.whl"))
    return made


def check(environment: Environment, code: str) -> str:
    """What mypy prints about a user's file, who has our packages installed."""
    (environment.cwd / "user.py").write_text(code, encoding="utf-8")
    return environment.type_check("user.py")


def test_code_that_is_right_passes_and_planted_errors_are_found(environment: Environment) -> None:
    assert check(environment, USER_CODE) == "Success: no issues found in 1 source file\n"
    wrong = f"{USER_CODE}found[0][0].scores\nread_split('test')\nVARIANTS['fp32'].precision + 1\n"
    printed = check(environment, wrong)
    assert '"Entity" has no attribute "scores"' in printed
    assert 'Missing positional argument "name" in call to "read_split"' in printed
    assert 'Unsupported operand types for + ("str" and "int")' in printed


def test_packages_without_their_markers_are_found(environment: Environment) -> None:
    packages = ("edgener", "edgener_exporters", "edgener_runtime")
    markers = [environment.site / package / "py.typed" for package in packages]
    for marker in markers:
        marker.rename(marker.with_suffix(".gone"))
    printed = check(environment, USER_CODE)
    for marker in markers:
        marker.with_suffix(".gone").rename(marker)
    missing = "module is installed, but missing library stubs or py.typed marker"
    for module in ("edgener.data.read", "edgener_exporters.variants", "edgener_runtime"):
        assert f'Skipping analyzing "{module}": {missing}' in printed
