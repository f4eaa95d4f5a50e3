"""The manifest of an unfinished bundle: names that devices refuse are refused before anything is measured."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from edgener.bundle.build import draft_manifest
from edgener_runtime.decoding.schemes import LabelSet
from edgener_runtime.errors import UserInputError


@pytest.mark.parametrize(
    ("folder", "labels"),
    [("model\x1b[2J", ("O", "B-A")), ("model", ("O", "B-\u202eA")), ("model", ("O\n", "B-A")), ("m\x9bodel", ("O",))],
)
def test_names_that_a_terminal_obeys_are_refused(folder: str, labels: tuple[str, ...], tmp_path: Path) -> None:
    checkpoint = SimpleNamespace(path=tmp_path / folder, label_set=LabelSet(labels))
    with pytest.raises(UserInputError, match=r"has the character U\+") as raised:
        draft_manifest(checkpoint, [], tmp_path, {})  # type: ignore[arg-type]
    assert raised.value.hint
